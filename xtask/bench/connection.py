"""A new connection for every message, as tutorials show it."""

import pika

import common

args = common.arguments()
for body in common.bodies(args):
    connection = pika.BlockingConnection(pika.URLParameters(args.amqp_uri))
    channel = connection.channel()
    channel.queue_declare(
        args.queue, durable=True, arguments=common.queue_arguments(args)
    )
    channel.confirm_delivery()
    channel.basic_publish("", args.queue, body, common.PERSISTENT, mandatory=True)
    connection.close()
common.done()
