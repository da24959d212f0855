"""MongoDB and RabbitMQ of docker-compose.yaml, in a project of their own."""

import contextlib
import json
import os
import subprocess
from urllib.parse import quote

from miss import Miss
from pods import docker, wait

PROJECT = "cdc-kubernetes"


class Servers:
    """Servers that are healthy, as containers of their network see them."""

    def __init__(self):
        self.members = inspect("mongo-net")
        self.broker = inspect("rabbitmq")
        [self.network] = self.broker["NetworkSettings"]["Networks"]
        ports = (port.partition("/")[0] for port in self.members["NetworkSettings"]["Ports"])
        members = ",".join(f"localhost:{port}" for port in ports)
        # A set whose members are healthy may still elect its first primary.
        self.replica_set = f"mongodb://{members}/?replicaSet=my-replica-set&serverSelectionTimeoutMS=30000"

    def mongo_uri(self):
        """Of the primary alone: as `localhost`, the name of each member, none can be reached from another container."""
        _, port = self.shell("db.hello().primary").split(":")
        return f"mongodb://mongo-net:{port}/?directConnection=true"

    def rabbitmq_uri(self):
        variables = dict(each.split("=", 1) for each in self.broker["Config"]["Env"])
        names = ("USER", "PASS", "VHOST")
        user, password, vhost = (quote(variables[f"RABBITMQ_DEFAULT_{name}"], safe="") for name in names)
        return f"amqp://{user}:{password}@rabbitmq:5672/{vhost}"

    def shell(self, script):
        """What a script prints in MongoDB's shell, which waits for a primary."""
        return docker("exec", self.members["Id"], "mongosh", "--quiet", self.replica_set, "--eval", script)


@contextlib.contextmanager
def started():
    compose = find_compose()
    # What a run that was killed has left.
    down(compose)
    try:
        run(compose, "up", "--detach")
        wait(why_not_healthy)
        yield Servers()
    finally:
        down(compose)


def find_compose():
    for words in ["docker", "compose"], ["docker-compose"]:
        with contextlib.suppress(OSError):
            if subprocess.run([*words, "version"], capture_output=True).returncode == 0:
                return words
    raise Miss("neither `docker compose` nor `docker-compose` is here")


def run(compose, *arguments):
    environment = os.environ | {"COMPOSE_PROJECT_NAME": PROJECT}
    done = subprocess.run([*compose, *arguments], env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise Miss(f"`{' '.join([*compose, *arguments])}` failed: {done.stderr.strip()}")


def down(compose):
    run(compose, "down", "--volumes")


def why_not_healthy():
    ours = f"--filter=label=com.docker.compose.project={PROJECT}"
    listed = '{{.Label "com.docker.compose.service"}}: {{.Status}}'
    lines = docker("ps", "--all", ours, f"--format={listed}").splitlines()
    return ", ".join(line for line in lines if "(healthy)" not in line)


def inspect(service):
    labels = [f"project={PROJECT}", f"service={service}"]
    filters = [f"--filter=label=com.docker.compose.{label}" for label in labels]
    return json.loads(docker("inspect", docker("ps", "--quiet", *filters)))[0]
