"""As fast as Python gets: one connection that never waits, with a window of confirms in flight."""

import pika

import common

WINDOW = 2048
# Messages between two looks at what the broker has sent.
GROUP = 256


class Publisher:
    def __init__(self, args):
        self.args = args
        self.bodies = common.bodies(args)
        self.published = 0
        # Every delivery tag up to this one is confirmed, and some beyond it.
        self.confirmed = 0
        self.beyond = set()
        self.paused = False
        self.connection = pika.SelectConnection(
            pika.URLParameters(args.amqp_uri),
            on_open_callback=lambda connection: connection.channel(
                on_open_callback=self.opened
            ),
            on_open_error_callback=self.failed,
        )

    def run(self):
        self.connection.ioloop.start()
        if self.confirmed < self.args.count:
            raise SystemExit(f"only {self.confirmed} messages were confirmed")

    def opened(self, channel):
        self.channel = channel
        channel.add_on_close_callback(self.failed)
        channel.add_on_return_callback(self.failed)
        channel.confirm_delivery(
            self.answered, callback=lambda frame: self.publish()
        )

    def publish(self):
        room = WINDOW - (self.published - self.confirmed - len(self.beyond))
        left = self.args.count - self.published
        for _ in range(min(GROUP, room, left)):
            self.channel.basic_publish(
                "", self.args.queue, next(self.bodies), common.PERSISTENT, mandatory=True
            )
            self.published += 1
        # With a full window, the next confirm wakes us.
        self.paused = room <= GROUP or left <= GROUP
        if not self.paused:
            self.connection.ioloop.add_callback(self.publish)

    def answered(self, frame):
        if not isinstance(frame.method, pika.spec.Basic.Ack):
            return self.failed(frame)
        tag = frame.method.delivery_tag
        if frame.method.multiple:
            self.beyond = {other for other in self.beyond if other > tag}
            self.confirmed = max(self.confirmed, tag)
        else:
            self.beyond.add(tag)
        while self.confirmed + 1 in self.beyond:
            self.confirmed += 1
            self.beyond.remove(self.confirmed)
        if self.confirmed == self.args.count:
            self.connection.ioloop.stop()
        elif self.paused and self.published < self.args.count:
            room = WINDOW - (self.published - self.confirmed - len(self.beyond))
            if room >= GROUP:
                self.paused = False
                self.publish()

    def failed(self, *reason):
        print(f"failed: {reason}", flush=True)
        self.connection.ioloop.stop()


Publisher(common.arguments()).run()
common.done()
