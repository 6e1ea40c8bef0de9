import example.madeleine.v1.CallbackServiceGrpc;
import example.madeleine.v1.Event;
import example.madeleine.v1.OnEventRequest;
import example.madeleine.v1.OnEventResponse;
import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import java.net.InetSocketAddress;
import java.security.MessageDigest;
import java.util.Base64;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * A CallbackService in generated Java code: verifies each call by its signature, and prints what it was told.
 *
 * <p>Usage: Receiver SECRET. It prints its port first.
 */
public class Receiver extends CallbackServiceGrpc.CallbackServiceImplBase {
  /** Handlers do not see the metadata: an interceptor keeps it for them. */
  private static final Context.Key<Metadata> HEADERS = Context.key("headers");

  private final SecretKeySpec key;

  Receiver(String secret) {
    key = new SecretKeySpec(Base64.getDecoder().decode(secret.replaceFirst("^whsec_", "")), "HmacSHA256");
  }

  @Override
  public void onEvent(OnEventRequest request, StreamObserver<OnEventResponse> answer) {
    try {
      if (!isSigned(request)) {
        answer.onError(Status.UNAUTHENTICATED.withDescription("not signed with our secret").asException());
        return;
      }
      OnEventRequest told = OnEventRequest.parseFrom(request.getSigned());
      Event event = told.getEvent();
      String payload = event.getPayload().getData().toStringUtf8();
      System.out.println(
          told.getDeliveryId() + " " + told.getOutcome() + " " + payload + " " + event.getPropertiesCount());
      answer.onNext(OnEventResponse.getDefaultInstance());
      answer.onCompleted();
    } catch (Exception failure) {
      answer.onError(failure);
    }
  }

  private boolean isSigned(OnEventRequest request) throws Exception {
    Metadata headers = HEADERS.get();
    Mac mac = Mac.getInstance("HmacSHA256");
    mac.init(key);
    String body = Base64.getEncoder().encodeToString(request.getSigned().toByteArray());
    String text = header(headers, "webhook-id") + "." + header(headers, "webhook-timestamp") + "." + body;
    String right = "v1," + Base64.getEncoder().encodeToString(mac.doFinal(text.getBytes("UTF-8")));
    for (String one : header(headers, "webhook-signature").split(" ")) {
      if (MessageDigest.isEqual(one.getBytes("UTF-8"), right.getBytes("UTF-8"))) return true;
    }
    return false;
  }

  private static String header(Metadata headers, String name) {
    return headers.get(Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER));
  }

  private static final class KeepHeaders implements ServerInterceptor {
    @Override
    public <A, B> ServerCall.Listener<A> interceptCall(
        ServerCall<A, B> call, Metadata headers, ServerCallHandler<A, B> next) {
      return Contexts.interceptCall(Context.current().withValue(HEADERS, headers), call, headers, next);
    }
  }

  public static void main(String[] args) throws Exception {
    Server server =
        NettyServerBuilder.forAddress(new InetSocketAddress("127.0.0.1", 0))
            .addService(new Receiver(args[0]))
            .intercept(new KeepHeaders())
            .build()
            .start();
    System.out.println(server.getPort());
    server.awaitTermination();
  }
}
