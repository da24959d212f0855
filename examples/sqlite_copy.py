#!/usr/bin/env python3
"""Keeps an SQLite table equal to the collections that cdc watches.

    python3 -m pip install pika
    python3 sqlite_copy.py amqp://guest:guest@localhost:5673 test_queue copy.db

The engine runs with these settings; docs/messages.md, "Building a copy", gives the reasons:

    CDC_FORMAT=event  CDC_JSON_MODE=canonical  CDC_SNAPSHOT=initial
    CDC_OPERATIONS=insert,update,replace,delete,drop,rename
    CDC_FULL_DOCUMENT=off, or when_available where the collections keep post-images

A row has a document's latest version, in the cluster's order: cluster time, then the place in the transaction. What is
not newer than the row was applied before, so it makes no difference how often a message arrives, and where the engine
or this program was killed. A deleted document's row stays for a while without the document, so that an older message
does not bring it back.
"""

import json
import sqlite3
import sys
import time

import pika

BATCH = 500  # messages in one transaction
KEEP_DELETED_SECONDS = 7 * 24 * 3600  # longer than the engine may go back: longer than MongoDB's oplog

TABLES = """
CREATE TABLE IF NOT EXISTS documents (namespace TEXT, id TEXT, document TEXT, version TEXT,
                                      PRIMARY KEY (namespace, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS deleted ON documents (version) WHERE document IS NULL;
-- Before this version nothing of the collection exists: it was dropped or renamed then.
CREATE TABLE IF NOT EXISTS ends (namespace TEXT PRIMARY KEY, version TEXT);
-- Where a snapshot that is under way began to read a collection.
CREATE TABLE IF NOT EXISTS runs (run TEXT, namespace TEXT, version TEXT, PRIMARY KEY (run, namespace));
"""


def version_of(event, headers):
    """Sorts as text. What a snapshot read comes after all changes of that cluster time."""
    clock = event["clusterTime"]["$timestamp"]
    place = 10**9 if event["operationType"] == "read" else headers.get("cdc-transaction-index", 0)
    return f"{clock['t']:010}:{clock['i']:010}:{place:010}"


def apply(db, event, headers):
    operation, version = event["operationType"], version_of(event, headers)
    if operation in ("drop", "rename"):
        return end_collection(db, name_of(event["ns"]), event.get("to"), version)
    if "documentKey" not in event:
        return  # Indexes and the like; before a database is dropped its collections are.
    namespace, snapshot = name_of(event["ns"]), event.get("snapshot", {})
    marks = snapshot.get("marks", [])
    if "collection-first" in marks:
        db.execute("INSERT OR IGNORE INTO runs VALUES (?, ?, ?)", (snapshot["run"], namespace, version))
    change_document(db, event, namespace, version)
    if "collection-last" in marks:
        sweep(db, snapshot["run"], namespace, snapshot.get("filtered", False))


def name_of(namespace):
    return f"{namespace['db']}.{namespace['coll']}"


def change_document(db, event, namespace, version):
    key = namespace, json.dumps(event["documentKey"]["_id"], ensure_ascii=False)
    row = db.execute("SELECT document, version FROM documents WHERE namespace = ? AND id = ?", key).fetchone()
    document, known = row or (None, "")
    if version <= max(known, end_of(db, namespace)):
        return
    if event["operationType"] == "delete":
        new = None
    elif event.get("fullDocument") is not None:
        new = event["fullDocument"]
    elif event["operationType"] != "update":
        raise ValueError(f"a message of {namespace} came without its document: {key[1]}")
    elif document is None:
        return  # The snapshot has not read it yet, and will read it as it is then.
    else:
        new = updated(json.loads(document), event["updateDescription"])
    text = None if new is None else json.dumps(new, ensure_ascii=False)
    db.execute("INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?)", (*key, text, version))


def updated(document, description):
    """A document after an update, by what the update did to its fields."""
    for array in description.get("truncatedArrays", []):
        parent, name = find(document, array["field"])
        del parent[name][int(array["newSize"]["$numberInt"]):]
    for path in description.get("removedFields", []):
        parent, name = find(document, path)
        parent.pop(name, None)
    for path, value in description.get("updatedFields", {}).items():
        parent, name = find(document, path)
        if isinstance(parent, list):
            parent.extend([None] * (name + 1 - len(parent)))
        parent[name] = value
    return document


def find(document, path):
    """What contains the field of this path, and the field's name or index in it."""
    *way, last = path.split(".")
    for name in way:
        document = document[int(name) if isinstance(document, list) else name]
    return document, int(last) if isinstance(document, list) else last


def end_of(db, namespace):
    row = db.execute("SELECT version FROM ends WHERE namespace = ?", (namespace,)).fetchone()
    return row[0] if row else ""


def end_collection(db, namespace, to, version):
    """Drops a collection, or renames it in place of whatever had the new name."""
    if version <= end_of(db, namespace):
        return
    older = namespace, version
    if to:
        to = name_of(to)
        db.execute("DELETE FROM documents WHERE namespace = ? AND version < ?", (to, version))
        db.execute("UPDATE OR IGNORE documents SET namespace = ?, version = ? WHERE namespace = ? AND version < ?",
                   (to, version, *older))
        db.execute("INSERT OR REPLACE INTO ends VALUES (?, ?)", (to, version))
    db.execute("DELETE FROM documents WHERE namespace = ? AND version < ?", older)
    db.execute("INSERT OR REPLACE INTO ends VALUES (?, ?)", older)


def sweep(db, run, namespace, is_filtered):
    """The snapshot has read the whole collection: what is older than that and was not read is gone."""
    row = db.execute("SELECT version FROM runs WHERE run = ? AND namespace = ?", (run, namespace)).fetchone()
    if row and not is_filtered:  # What a filter leaves out may still exist.
        clock = row[0].rpartition(":")[0]
        db.execute("UPDATE documents SET document = NULL, version = ? WHERE namespace = ? AND version < ?",
                   (row[0], namespace, clock))
    db.execute("DELETE FROM runs WHERE run = ? AND namespace = ?", (run, namespace))


def commit(db, version):
    oldest = int(version[:10]) - KEEP_DELETED_SECONDS
    db.execute("DELETE FROM documents WHERE document IS NULL AND version < ?", (f"{oldest:010}",))
    db.commit()


def consume(db, channel, queue):
    channel.basic_qos(prefetch_count=BATCH)
    count, tag, version = 0, None, None
    # Exclusive, since two consumers would apply messages out of order. Nothing comes when the queue is empty.
    for method, properties, body in channel.consume(queue, exclusive=True, inactivity_timeout=0.1):
        if method:
            event = json.loads(body)
            apply(db, event, properties.headers)
            count, tag, version = count + 1, method.delivery_tag, version_of(event, properties.headers)
        if count == BATCH or count and not method:
            commit(db, version)
            channel.basic_ack(tag, multiple=True)  # Only now may the broker forget them.
            count = 0


def main():
    uri, queue, path = sys.argv[1:]
    db = sqlite3.connect(path)
    db.executescript("PRAGMA journal_mode = WAL;" + TABLES)
    while True:
        try:
            with pika.BlockingConnection(pika.URLParameters(uri)) as connection:
                consume(db, connection.channel(), queue)
        except pika.exceptions.AMQPError as error:
            print(f"the broker: {error!r}; trying again", file=sys.stderr)
            db.rollback()  # What was not acknowledged comes again.
            time.sleep(1)


if __name__ == "__main__":
    main()
