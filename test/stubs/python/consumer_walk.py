"""Consumers through generated Python code: the way of an event from its producer to two consumers, and what else a consumer relies on.

Usage: consumer_walk.py TEST, with the generated code on PYTHONPATH and a server's address in MADELEINE_SERVER.
"""

import os
import time
import unittest
import uuid

import grpc
from google.protobuf import field_mask_pb2, struct_pb2
from madeleine.v1 import admin_service_pb2 as admin_pb
from madeleine.v1 import consumer_service_pb2 as consumer_pb
from madeleine.v1 import event_pb2, event_service_pb2, stream_service_pb2
from madeleine.v1.admin_service_pb2_grpc import AdminServiceStub
from madeleine.v1.consumer_service_pb2_grpc import ConsumerServiceStub
from madeleine.v1.event_service_pb2_grpc import EventServiceStub
from madeleine.v1.stream_service_pb2_grpc import StreamServiceStub

ACCEPTED = consumer_pb.ACK_STATUS_ACCEPTED
ALREADY = consumer_pb.ACK_STATUS_ALREADY
UNKNOWN = consumer_pb.ACK_STATUS_UNKNOWN
SECONDS = 20


def unique(name):
    return f"{name} {uuid.uuid4()}"


def first(frames, wanted):
    """The next frame that is wanted."""
    return next(frame for frame in frames if wanted(frame))


def eventually(look):
    """What the look gives once it gives something."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        found = look()
        if found is not None:
            return found
    raise AssertionError("nothing came")


class Clients(unittest.TestCase):
    def setUp(self):
        channel = grpc.insecure_channel(os.environ["MADELEINE_SERVER"])
        self.addCleanup(channel.close)
        self.events = EventServiceStub(channel)
        self.streams = StreamServiceStub(channel)
        self.admin = AdminServiceStub(channel)
        self.consumers = ConsumerServiceStub(channel)

    def push(self, topic, issuer="depot", number=0, **fields):
        payload = event_pb2.Payload(json=struct_pb2.Value(number_value=number))
        event = event_pb2.NewEvent(topic=topic, issuer=issuer, payload=payload, **fields)
        return self.events.PushEvent(event_service_pb2.PushEventRequest(event=event)).event

    def fetch(self, consumer, limit=10, **settings):
        request = consumer_pb.FetchRequest(consumer=consumer, limit=limit)
        if settings:
            request.settings.CopyFrom(consumer_pb.ConsumerSettings(**settings))
        return self.consumers.Fetch(request).deliveries

    def acknowledge(self, consumer, position, lease=0):
        """Acknowledges one position; returns its status and the offset."""
        one = consumer_pb.Acknowledgement(position=position, lease=lease)
        answer = self.consumers.Acknowledge(consumer_pb.AcknowledgeRequest(consumer=consumer, acknowledgements=[one]))
        return answer.results[0].status, answer.offset

    def get(self, consumer):
        return self.consumers.GetConsumer(consumer_pb.GetConsumerRequest(name=consumer)).consumer

    def seek(self, consumer, **fields):
        return self.consumers.SeekConsumer(consumer_pb.SeekConsumerRequest(name=consumer, **fields))

    def subscribe(self, consumer, **fields):
        call = self.consumers.Subscribe(consumer_pb.SubscribeRequest(consumer=consumer, **fields), timeout=SECONDS)
        self.addCleanup(call.cancel)
        return call

    def refusal(self, call, *arguments):
        with self.assertRaises(grpc.RpcError) as caught:
            call(*arguments)
        return caught.exception.code(), caught.exception.details()


def only(*topics, **more):
    return consumer_pb.ConsumerFilter(topics=topics, **more)


class ConsumerWalk(Clients):
    def test_walk(self):
        stream, packed, sent = unique("parcel"), unique("packed"), unique("sent")
        mailer, auditor = unique("mailer"), unique("auditor")
        pushed = [self.push(topic, "depot", n, stream=stream) for n, topic in enumerate([packed, sent, packed])]
        self.assertEqual([event.sequence for event in pushed], [1, 2, 3])
        owner = self.streams.GetStream(stream_service_pb2.GetStreamRequest(name=stream)).stream.owner
        self.assertEqual(owner, "depot")
        self.another_producer_is_refused(stream, packed)
        self.acknowledges_one_by_one(mailer, pushed, packed, stream)
        self.begins_at_the_beginning(auditor, pushed, packed)
        self.is_found(stream, packed, pushed)
        self.is_listed_with_who_has_passed(stream, pushed, mailer)
        self.goes_back_and_forward(mailer, pushed)
        self.is_listed_by_time(stream, pushed)
        self.is_counted(stream, packed, sent, pushed)

    def another_producer_is_refused(self, stream, topic):
        code, told = self.refusal(lambda: self.push(topic, "thief", stream=stream))
        self.assertEqual((code, told), (grpc.StatusCode.FAILED_PRECONDITION, f'the stream "{stream}" belongs to "depot"'))
        payload = event_pb2.Payload(json=struct_pb2.Value(number_value=1))
        event = event_pb2.NewEvent(topic=topic, issuer="thief", stream=stream, payload=payload)
        batch = event_service_pb2.PushEventStreamRequest(events=[event_service_pb2.PushEventRequest(event=event)])
        (answer,) = self.events.PushEventStream(iter([batch]))
        error = answer.results[0].error
        self.assertEqual((error.reason, error.metadata["owner"]), ("STREAM_OWNED", "depot"))

    def acknowledges_one_by_one(self, mailer, pushed, topic, stream):
        one, two = self.fetch(mailer, 2, filter=only(topic, streams=[stream]))
        self.assertEqual([one.event.position, two.event.position], [pushed[0].position, pushed[2].position])
        self.assertFalse(self.get(mailer).HasField("moved_at"))
        self.assertEqual(self.acknowledge(mailer, one.event.position, one.lease)[0], ACCEPTED)
        behind = self.get(mailer)
        self.assertEqual((behind.pending, behind.in_flight), (1, 1))
        self.assertEqual(self.percentage(mailer), 50)
        self.assertGreaterEqual(behind.offset, one.event.position)
        self.assertGreater(behind.moved_at.ToMicroseconds(), one.event.created_at.ToMicroseconds())
        status, offset = self.acknowledge(mailer, two.event.position, two.lease)
        self.assertEqual(status, ACCEPTED)
        # It passes by what is not the consumer's.
        self.assertGreaterEqual(offset, two.event.position)
        self.assertEqual(self.acknowledge(mailer, two.event.position, two.lease)[0], ALREADY)
        self.assertEqual(self.acknowledge(mailer, pushed[1].position)[0], UNKNOWN)
        done = self.get(mailer)
        self.assertEqual((done.pending, done.in_flight), (0, 0))
        self.assertGreaterEqual(done.offset, offset)
        self.assertEqual(done.lag, done.head - done.offset)
        self.assertAlmostEqual(done.percent_consumed, 100 * done.offset / done.head, places=1)
        self.assertEqual(self.percentage(mailer), 100)
        self.assertGreater(done.moved_at.ToMicroseconds(), behind.moved_at.ToMicroseconds())

    def percentage(self, consumer):
        """Of its own events: told once these are counted."""

        def told():
            state = self.get(consumer)
            return state.percent_of_matching if state.HasField("percent_of_matching") else None

        return eventually(told)

    def is_counted(self, stream, packed, sent, pushed):
        def counted():
            stats = self.admin.GetStats(admin_pb.GetStatsRequest(top_streams=100, top_topics=1000))
            return stats if stats.as_of_position >= pushed[2].position else None

        stats = eventually(counted)
        self.assertEqual([one.events for one in stats.streams if one.name == stream], [3])
        topics = {one.name: one.events for one in stats.topics}
        self.assertEqual((topics[packed], topics[sent]), (2, 1))
        self.assertGreaterEqual(sum(day.events for day in stats.days), 3)

    def begins_at_the_beginning(self, auditor, pushed, topic):
        positions = [delivery.event.position for delivery in self.fetch(auditor, filter=only(topic))]
        self.assertEqual(positions, [pushed[0].position, pushed[2].position])

    def goes_back_and_forward(self, mailer, pushed):
        last = pushed[2].position
        back = self.seek(mailer, by_events=-1)
        self.assertGreaterEqual(back.former_offset, last)
        self.assertEqual((back.offset, back.moved_events), (last - 1, 1))
        forward = self.seek(mailer, by_events=2)
        self.assertEqual((forward.offset, forward.moved_events), (last, 1))
        begin = self.seek(mailer, by_events=-10)
        self.assertEqual((begin.offset, begin.moved_events), (pushed[0].position - 1, 2))
        again = [delivery.event.position for delivery in self.fetch(mailer)]
        self.assertEqual(again, [pushed[0].position, last])

    def is_found(self, stream, topic, pushed):
        def found(query):
            hits = self.admin.SearchEvents(admin_pb.SearchEventsRequest(query=query)).hits
            return [hit.event.position for hit in hits]

        newest_first = [event.position for event in reversed(pushed)]
        self.assertEqual(found(stream), newest_first)
        self.assertEqual(found(topic), [newest_first[0], newest_first[2]])
        self.assertEqual(found(pushed[1].message_id), [pushed[1].position])
        self.assertEqual(found(unique("nothing")), [])

    def is_listed_with_who_has_passed(self, stream, pushed, mailer):
        period = event_pb2.EventFilter(stream=stream, start_time=pushed[0].created_at)
        request = event_service_pb2.ListEventsRequest(filter=period, with_consumers=True)
        answer = self.events.ListEvents(request)
        self.assertEqual([event.position for event in answer.events], [event.position for event in pushed[1:]])
        # The first of them is not of the topic that it asks for.
        self.assertEqual([[who.name for who in one.consumers] for one in answer.consumers], [[], [mailer]])
        of_stream = consumer_pb.ListConsumersRequest(stream=stream)
        self.assertIn(mailer, [one.name for one in self.consumers.ListConsumers(of_stream).consumers])
        passed = consumer_pb.ListConsumersRequest(passed_event_id=pushed[2].id)
        self.assertEqual([one.name for one in self.consumers.ListConsumers(passed).consumers], [mailer])

    def is_listed_by_time(self, stream, pushed):
        within = event_pb2.EventFilter(stream=stream, start_time=pushed[0].created_at)
        listed = self.events.ListEvents(event_service_pb2.ListEventsRequest(filter=within)).events
        self.assertEqual([(event.topic, event.sequence) for event in listed], [(e.topic, e.sequence) for e in pushed[1:]])

    def test_to(self):
        topic, meant, other = unique("orders"), unique("mailer"), unique("printer")
        self.push(topic, number=1, to=meant)
        self.push(topic, number=2)
        numbers = lambda deliveries: [delivery.event.payload.json.number_value for delivery in deliveries]
        self.assertEqual(numbers(self.fetch(meant, filter=only(topic))), [1, 2])
        self.assertEqual(numbers(self.fetch(other, filter=only(topic))), [2])
        self.assertEqual(self.get(other).pending, 1)
        everything = self.events.ReadEvents(event_service_pb2.ReadEventsRequest(topics=[topic]))
        read = [event.to for frame in everything for event in frame.events]
        self.assertEqual(read, [meant, ""])

    def test_ignore_own(self):
        topic, shop = unique("orders"), unique("shop")
        self.push(topic, shop)
        self.push(topic, "web", reply_to=shop)
        theirs = self.push(topic, "web")
        positions = [one.event.position for one in self.fetch(shop, filter=only(topic), ignore_own=True)]
        self.assertEqual(positions, [theirs.position])
        self.assertEqual(len(self.fetch(unique("shop"), filter=only(topic), ignore_own=True)), 3)

    def test_dry_run_of_seek(self):
        topic, mailer = unique("orders"), unique("mailer")
        pushed = [self.push(topic, number=n) for n in range(4)]
        deliveries = self.fetch(mailer, filter=only(topic))
        for delivery in deliveries[:2]:
            self.acknowledge(mailer, delivery.event.position, delivery.lease)
        before = self.get(mailer)
        earliest = consumer_pb.StartPosition(earliest=consumer_pb.Earliest())
        tried = self.seek(mailer, to=earliest, dry_run=True)
        self.assertEqual((tried.former_offset, tried.affected, tried.affected_is_minimum), (before.offset, 2, False))
        forward = self.seek(mailer, to=consumer_pb.StartPosition(after_position=pushed[3].position), dry_run=True)
        self.assertEqual((forward.offset, forward.affected), (pushed[3].position, 2))
        self.assertEqual(self.seek(mailer, by_events=-9, dry_run=True).moved_events, 2)
        after = self.get(mailer)
        self.assertEqual((after.offset, after.generation, after.in_flight), (before.offset, before.generation, 2))
        self.assertEqual(self.acknowledge(mailer, deliveries[2].event.position, deliveries[2].lease)[0], ACCEPTED)

    def test_pending(self):
        topic, mailer = unique("orders"), unique("mailer")
        for n in range(5):
            self.push(topic, number=n)
            self.push(unique("another"))
        deliveries = self.fetch(mailer, 3, filter=only(topic))
        self.assertEqual(self.get(mailer).pending, 5)
        for delivery in deliveries[1:]:
            self.acknowledge(mailer, delivery.event.position, delivery.lease)
        state = self.get(mailer)
        self.assertEqual((state.pending, state.pending_is_minimum), (3, False))
        self.assertEqual(state.oldest_unacknowledged, deliveries[0].event.position)
        self.assertGreater(state.lag, state.pending)
        prefix = consumer_pb.ListConsumersRequest(name_prefix=mailer)
        self.assertEqual([one.pending for one in self.consumers.ListConsumers(prefix).consumers], [3])

    def test_live_settings(self):
        orders, invoices, mailer = unique("orders"), unique("invoices"), unique("mailer")
        first_order = self.push(orders)
        call = self.subscribe(mailer, settings=consumer_pb.ConsumerSettings(filter=only(orders), max_attempts=3))
        delivered = first(call, lambda frame: frame.deliveries).deliveries[0]
        self.assertEqual(delivered.event.position, first_order.position)
        self.change(mailer, ["max_attempts"], max_attempts=7)
        state = self.get(mailer)
        self.assertEqual((state.settings.max_attempts, state.generation, state.in_flight), (7, 1, 1))
        self.assertEqual(self.acknowledge(mailer, delivered.event.position, delivered.lease)[0], ACCEPTED)
        self.change(mailer, ["filter"], filter=only(invoices))
        self.push(orders)
        invoice = self.push(invoices)
        again = first(call, lambda frame: frame.deliveries).deliveries
        self.assertEqual([one.event.position for one in again], [invoice.position])
        self.assertEqual(self.get(mailer).generation, 2)
        other = consumer_pb.ConsumerSettings(max_attempts=3)
        code, told = self.refusal(self.consumers.Fetch, consumer_pb.FetchRequest(consumer=mailer, settings=other))
        self.assertEqual(code, grpc.StatusCode.FAILED_PRECONDITION)
        self.assertIn("settings.max_attempts", told)

    def change(self, consumer, paths, **settings):
        mask = field_mask_pb2.FieldMask(paths=paths)
        given = consumer_pb.ConsumerSettings(**settings)
        self.consumers.UpdateConsumer(consumer_pb.UpdateConsumerRequest(name=consumer, settings=given, update_mask=mask))

    def test_members_with_credit(self):
        topic, mailer = unique("orders"), unique("mailer")
        pushed = [self.push(topic, number=n) for n in range(3)]
        settings = consumer_pb.ConsumerSettings(filter=only(topic))
        one = self.subscribe(mailer, member="one", max_in_flight=1, settings=settings)
        held = first(one, lambda frame: frame.deliveries).deliveries
        self.assertEqual([delivery.event.position for delivery in held], [pushed[0].position])
        (member,) = self.get(mailer).members
        self.assertEqual((member.name, member.in_flight, member.max_in_flight), ("one", 1, 1))
        self.assertEqual(member.max_in_flight_bytes, 1024 * 1024)
        self.assertGreater(member.in_flight_bytes, 0)
        self.assertIn("127.0.0.1", member.address)
        two = self.subscribe(mailer, member="two", max_in_flight=2)
        others = list(first(two, lambda frame: frame.deliveries).deliveries)
        while len(others) < 2:
            others.extend(first(two, lambda frame: frame.deliveries).deliveries)
        self.assertEqual([delivery.event.position for delivery in others], [event.position for event in pushed[1:]])
        self.assertEqual({m.name: m.in_flight for m in self.get(mailer).members}, {"one": 1, "two": 2})
        self.acknowledge(mailer, held[0].event.position, held[0].lease)
        # It goes to the only one who has credit.
        last = self.push(topic, number=3)
        (delivery,) = first(one, lambda frame: frame.deliveries).deliveries
        self.assertEqual(delivery.event.position, last.position)

    def test_watching_by_topics(self):
        orders, invoices, other = unique("orders"), unique("invoices"), unique("other")
        self.push(orders)
        request = event_service_pb2.WatchEventsRequest(topics=[orders, invoices])
        call = self.events.WatchEvents(request, timeout=SECONDS)
        self.addCleanup(call.cancel)
        first(call, lambda frame: frame.HasField("watching"))
        expected = []
        for topic in (orders, other, invoices):
            event = self.push(topic)
            if topic != other:
                expected.append(event.position)
        seen = []
        while len(seen) < 2:
            seen.extend(event.position for event in first(call, lambda frame: frame.events).events)
        self.assertEqual(seen, expected)


if __name__ == "__main__":
    unittest.main()
