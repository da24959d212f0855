"""What packaging/kubernetes/cdc.yaml says of the pods, in the words of docker.

What neither docker nor this program does as a kubelet would is refused, so that nothing in the manifest goes unheeded.
"""

import copy
import os
import re
from dataclasses import dataclass

import yaml

from miss import Miss

UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


@dataclass
class Probe:
    path: str
    port: int
    timeout_seconds: int


class Manifest:
    def __init__(self, text):
        objects = {(each["kind"], each["metadata"]["name"]): each for each in yaml.safe_load_all(text)}
        self.config_maps = {name: each["data"] for (kind, name), each in objects.items() if kind == "ConfigMap"}
        self.secrets = secrets_of(text)
        [stateful_set] = [each for (kind, _), each in objects.items() if kind == "StatefulSet"]
        self.name = stateful_set["metadata"]["name"]
        self.set = stateful_set["spec"]
        self.pod = self.set["template"]["spec"]
        [self.container] = self.pod["containers"]
        self.refuse_what_goes_unheeded()
        self.replicas = self.set["replicas"]
        self.image = self.container["image"]
        self.grace_seconds = self.pod.get("terminationGracePeriodSeconds", 30)

    def refuse_what_goes_unheeded(self):
        # Names, requests and the spread over nodes have no effect on one machine.
        heed(self.set, "replicas template", "serviceName selector", podManagementPolicy="Parallel")
        heed(
            self.pod,
            "containers securityContext volumes",
            "terminationGracePeriodSeconds topologySpreadConstraints",
            automountServiceAccountToken=False,
            enableServiceLinks=False,
        )
        heed(
            self.pod["securityContext"],
            "runAsUser runAsGroup",
            "fsGroup runAsNonRoot",
            seccompProfile={"type": "RuntimeDefault"},
        )
        heed(
            self.container,
            "name image envFrom env ports livenessProbe readinessProbe resources securityContext volumeMounts",
        )
        of_container = self.container["securityContext"]
        heed(of_container, "capabilities", "readOnlyRootFilesystem", allowPrivilegeEscalation=False)
        heed(of_container["capabilities"], "drop")
        heed(self.container["resources"], "limits", "requests")
        heed(self.container["resources"]["limits"], "memory")
        if self.pod["securityContext"].get("runAsNonRoot") and self.pod["securityContext"]["runAsUser"] == 0:
            raise Miss("the manifest says `runAsNonRoot: True` and `runAsUser: 0`")

    def shared_by(self, count):
        """The same with as many shares, by the variable that has the share's number in front of its N."""
        changed = copy.deepcopy(self)
        [share] = [each for each in changed.container["env"] if each["name"] == "CDC_SHARE"]
        share["value"] = share["value"].rpartition("/")[0] + f"/{count}"
        return changed

    def pod_name(self, index):
        return f"{self.name}-{index}"

    def settings(self):
        """What all pods have from ConfigMaps."""
        settings = {}
        for each in self.container["envFrom"]:
            settings |= named(self.config_maps, "ConfigMap", each["configMapRef"]["name"])
        return settings

    def environment(self, index):
        variables = self.settings()
        for each in self.container["env"]:
            if "valueFrom" in each:
                value = self.field(index, each["valueFrom"]["fieldRef"]["fieldPath"])
            else:
                value = expand(each["value"], variables)
            variables[each["name"]] = value
        return variables

    def field(self, index, path):
        """What the downward API says of a pod; the StatefulSet gives it the second label."""
        labels = self.set["template"]["metadata"]["labels"] | {"apps.kubernetes.io/pod-index": str(index)}
        label = re.fullmatch(r"metadata\.labels\['(.*)'\]", path)
        if not label:
            raise Miss(f"this stand-in knows no field `{path}` of a pod")
        return named(labels, "label", label[1])

    def probe(self, kind):
        probe = self.container[f"{kind}Probe"]
        heed(probe, "httpGet", "periodSeconds timeoutSeconds failureThreshold")
        heed(probe["httpGet"], "path port")
        ports = {port["name"]: port["containerPort"] for port in self.container["ports"]}
        port = probe["httpGet"]["port"]
        port = named(ports, "port", port) if isinstance(port, str) else port
        return Probe(probe["httpGet"]["path"], port, probe.get("timeoutSeconds", 1))

    def restrictions(self):
        """Options of `docker run` for what the container may do and use."""
        of_pod, of_container = self.pod["securityContext"], self.container["securityContext"]
        memory = bytes_of(self.container["resources"]["limits"]["memory"])
        yield f"--user={of_pod['runAsUser']}:{of_pod['runAsGroup']}"
        yield from (f"--group-add={of_pod[key]}" for key in ["fsGroup"] if key in of_pod)
        yield f"--read-only={str(of_container.get('readOnlyRootFilesystem', False)).lower()}"
        yield from (f"--cap-drop={name}" for name in of_container["capabilities"]["drop"])
        yield "--security-opt=no-new-privileges"
        # No more by swapping either.
        yield from (f"--memory={memory}", f"--memory-swap={memory}")

    def mounts(self, folder, contents):
        """Writes the volumes below `folder`, and has the options that mount them.

        `contents` has the text of each file that a Secret is made of.
        """
        for volume in self.pod["volumes"]:
            heed(volume, "name secret")
            heed(volume["secret"], "secretName", "defaultMode")
            self.write_secret(folder / volume["name"], volume["secret"], contents)
        for mount in self.container["volumeMounts"]:
            heed(mount, "name mountPath", "readOnly")
            # A Secret is read-only, whatever the mount says.
            yield f"--volume={folder / mount['name']}:{mount['mountPath']}:ro"

    def write_secret(self, folder, secret, contents):
        """As a kubelet does: files that are root's and that the pod's group, if it has one, may read, behind links."""
        group = self.pod["securityContext"].get("fsGroup")
        mode = secret.get("defaultMode", 0o644) | (0o440 if group else 0)
        files = folder / "..1"
        files.mkdir(parents=True)
        for key, file in named(self.secrets, "Secret", secret["secretName"]).items():
            (files / key).write_text(contents[file])
            os.chown(files / key, 0, group or 0)
            (files / key).chmod(mode)
            (folder / key).symlink_to(f"..data/{key}")
        (folder / "..data").symlink_to(files.name)
        folder.chmod(0o755)
        files.chmod(0o755)


def heed(mapping, needed, optional="", **as_it_is):
    """Refuses what is neither `needed` nor `optional`, and all that is not as docker or this program has it anyway."""
    for key in needed.split():
        if key not in mapping:
            raise Miss(f"this stand-in needs `{key}`, which the manifest does not say")
    for key in mapping.keys() - {*needed.split(), *optional.split(), *as_it_is}:
        raise Miss(f"this stand-in does not know `{key}: {mapping[key]}` of the manifest")
    for key, value in as_it_is.items():
        if mapping.get(key) != value:
            raise Miss(f"this stand-in can only do `{key}: {value}`, and the manifest says {mapping.get(key)}")


def named(things, kind, name):
    if name not in things:
        raise Miss(f"the manifest has no {kind} `{name}`")
    return things[name]


def secrets_of(text):
    """The keys of each Secret and the files that it is made of, from the commands in the manifest's comments."""
    text = re.sub(r"\\\n#", "", text)
    commands = re.findall(r"^#.* create secret generic (\S+)(.*)$", text, re.MULTILINE)
    return {name: dict(re.findall(r"--from-file=([^=\s]+)=(\S+)", options)) for name, options in commands}


def expand(value, variables):
    """`$(NAME)` is a variable that is there before, `$$` is a dollar, and all else stays."""

    def replace(match):
        return "$" if match[0] == "$$" else variables.get(match[1], match[0])

    return re.sub(r"\$\$|\$\(([^)]*)\)", replace, value)


def bytes_of(quantity):
    number, unit = re.fullmatch(r"(\d+)(\D*)", str(quantity)).groups()
    return int(number) * UNITS[unit]
