"""A CallbackService in generated Python code: verifies each call by its signature, and prints what it was told.

Usage: receiver.py SECRET, with the generated code on PYTHONPATH. It prints its port first.
"""

import base64
import hmac
import sys
from concurrent.futures import ThreadPoolExecutor

import grpc
from madeleine.v1 import event_pb2
from madeleine.v1.callback_service_pb2 import OnEventRequest, OnEventResponse
from madeleine.v1.callback_service_pb2_grpc import CallbackServiceServicer, add_CallbackServiceServicer_to_server


class Receiver(CallbackServiceServicer):
    def __init__(self, secret):
        self.key = base64.b64decode(secret.removeprefix("whsec_"))

    def OnEvent(self, request, context):
        metadata = dict(context.invocation_metadata())
        text = f"{metadata['webhook-id']}.{metadata['webhook-timestamp']}.".encode() + base64.b64encode(request.signed)
        right = "v1," + base64.b64encode(hmac.new(self.key, text, "sha256").digest()).decode()
        if not any(hmac.compare_digest(right, one) for one in metadata["webhook-signature"].split()):
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "not signed with our secret")
        told = OnEventRequest.FromString(request.signed)
        status = event_pb2.EventStatus.Name(told.outcome)
        print(told.delivery_id, status, told.event.payload.data.decode(), len(told.event.properties), flush=True)
        return OnEventResponse()


server = grpc.server(ThreadPoolExecutor(max_workers=1))
add_CallbackServiceServicer_to_server(Receiver(sys.argv[1]), server)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(port, flush=True)
server.wait_for_termination()
