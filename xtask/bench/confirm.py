"""One connection; the confirm of each message is awaited before the next one is published."""

import pika

import common

args = common.arguments()
connection = pika.BlockingConnection(pika.URLParameters(args.amqp_uri))
channel = connection.channel()
channel.queue_declare(args.queue, durable=True, arguments=common.queue_arguments(args))
channel.confirm_delivery()
for body in common.bodies(args):
    # Returns when the broker has confirmed the message; raises where it has not.
    channel.basic_publish("", args.queue, body, common.PERSISTENT, mandatory=True)
common.done()
