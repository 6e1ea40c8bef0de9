// A CallbackService in generated Go code: verifies each call by its signature, and prints what it was told.
//
// Usage: receiver SECRET. It prints its port first.
package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"log"
	"net"
	"os"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	madeleinev1 "madeleine.example/go/madeleine/v1"
)

type receiver struct {
	madeleinev1.UnimplementedCallbackServiceServer
	key []byte
}

func (r receiver) OnEvent(ctx context.Context, request *madeleinev1.OnEventRequest) (*madeleinev1.OnEventResponse, error) {
	if !r.isSigned(ctx, request.Signed) {
		return nil, status.Error(codes.Unauthenticated, "not signed with our secret")
	}
	told := &madeleinev1.OnEventRequest{}
	if err := proto.Unmarshal(request.Signed, told); err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	event := told.Event
	fmt.Println(told.DeliveryId, told.Outcome, string(event.GetPayload().GetData()), len(event.Properties))
	return &madeleinev1.OnEventResponse{}, nil
}

func (r receiver) isSigned(ctx context.Context, signed []byte) bool {
	fields, _ := metadata.FromIncomingContext(ctx)
	first := func(name string) string { return strings.Join(fields.Get(name), "") }
	mac := hmac.New(sha256.New, r.key)
	fmt.Fprintf(mac, "%s.%s.%s", first("webhook-id"), first("webhook-timestamp"), base64.StdEncoding.EncodeToString(signed))
	right := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	for _, one := range strings.Fields(first("webhook-signature")) {
		if hmac.Equal([]byte(one), []byte(right)) {
			return true
		}
	}
	return false
}

func main() {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(os.Args[1], "whsec_"))
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	madeleinev1.RegisterCallbackServiceServer(server, receiver{key: key})
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	log.Fatal(server.Serve(listener))
}
