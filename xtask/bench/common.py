"""What the three programs share: the arguments, the reader, the body, the end.

They do what the program that the engine replaces did: pymongo reads the change
stream, the document becomes JSON with `type` and `entry_id` in place of `_id`,
and pika publishes it as a persistent message.
"""

import argparse
import json
import sys

import pika
from bson import Timestamp, json_util
from pymongo import MongoClient


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mongo-uri", required=True)
    parser.add_argument("--database", required=True)
    parser.add_argument("--from", dest="start", required=True)
    parser.add_argument("--amqp-uri", required=True)
    parser.add_argument("--queue", required=True)
    parser.add_argument("--queue-type", required=True)
    parser.add_argument("--count", type=int, required=True)
    return parser.parse_args()


def bodies(args):
    """Reads that many inserts from the start position on, and yields a body for each."""
    seconds, increment = args.start.split(":")
    client = MongoClient(args.mongo_uri)
    stream = client[args.database].watch(
        [{"$match": {"operationType": "insert"}}],
        start_at_operation_time=Timestamp(int(seconds), int(increment)),
        batch_size=1000,
    )
    for _ in range(args.count):
        yield body(stream.next())


def body(change):
    document = change["fullDocument"]
    entry_id = document.pop("_id")
    document["type"] = change["ns"]["coll"]
    document["entry_id"] = str(entry_id)
    return json.dumps(document, default=json_util.default).encode()


def queue_arguments(args):
    return {"x-queue-type": "quorum"} if args.queue_type == "quorum" else None


PERSISTENT = pika.BasicProperties(delivery_mode=2)


def done():
    """Tells the bench that all is confirmed, and waits until it has looked at us."""
    print("done", flush=True)
    sys.stdin.read()
