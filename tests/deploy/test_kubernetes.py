"""The manifests for Kubernetes and KServe, by the schemas of Kubernetes and by what the app itself says of them."""

import os
import runpy
from collections.abc import Callable, Iterator
from typing import Any

import kubernetes_validate
import pytest
from flask import Flask
from flask.testing import FlaskClient
from kubernetes_validate.utils import resources_from_file

from iris_app import create_app
from tests.support import CHECKOUT, SECRET_KEY

VERSIONS = ["1.30", kubernetes_validate.latest_version()]
MANIFESTS: list[dict[str, Any]] = resources_from_file(str(CHECKOUT / "deploy" / "kubernetes.yaml"))
(INFERENCE_SERVICE,) = resources_from_file(str(CHECKOUT / "deploy" / "kserve.yaml"))

# KServe's own fields beside those of a pod.
SCALING = {"minReplicas", "maxReplicas", "scaleMetric", "scaleTarget"}

BY_KIND = {manifest["kind"]: manifest for manifest in MANIFESTS}
POD = BY_KIND["Deployment"]["spec"]["template"]
JOB = BY_KIND["Job"]["spec"]["template"]
PREDICTOR = {name: field for name, field in INFERENCE_SERVICE["spec"]["predictor"].items() if name not in SCALING}
SERVING = {"Kubernetes": POD["spec"], "KServe": PREDICTOR}
PODS = SERVING | {"a job": JOB["spec"]}

each_serving = pytest.mark.parametrize("pod", SERVING.values(), ids=SERVING)
each_pod = pytest.mark.parametrize("pod", PODS.values(), ids=PODS)


def container(pod: dict[str, Any]) -> dict[str, Any]:
    (only,) = pod["containers"]
    found: dict[str, Any] = only
    return found


def variables(pod: dict[str, Any]) -> dict[str, str]:
    """Return the environment of a container, with something in place of what Kubernetes fills in."""
    filled_in = {"IRIS_SECRET_KEY": SECRET_KEY, "WEB_CONCURRENCY": "2"}
    return {one["name"]: one.get("value") or filled_in[one["name"]] for one in container(pod)["env"]}


@pytest.fixture
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("IRIS_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda manifest: manifest["kind"])
def test_a_manifest_is_what_kubernetes_takes(manifest: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_kserve_is_given_for_its_pods_is_what_kubernetes_takes(version: str) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "iris"}, "spec": PREDICTOR}
    kubernetes_validate.validate(pod, version, strict=True)


@pytest.mark.parametrize("kind", ["Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy"])
def test_what_chooses_pods_chooses_ours(kind: str) -> None:
    spec = BY_KIND[kind]["spec"]
    selector = spec.get("selector") or spec["podSelector"]
    assert selector.get("matchLabels", selector) == POD["metadata"]["labels"]


def test_what_names_another_manifest_names_one_that_is_there() -> None:
    target = BY_KIND["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", BY_KIND["Deployment"]["metadata"]["name"])
    claims = {pod["volumes"][0]["persistentVolumeClaim"]["claimName"] for pod in PODS.values()}
    assert claims == {BY_KIND["PersistentVolumeClaim"]["metadata"]["name"]}


def test_a_rollout_never_has_fewer_pods_than_before() -> None:
    assert BY_KIND["Deployment"]["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


@each_pod
def test_a_pod_may_do_nothing_that_it_need_not(pod: dict[str, Any]) -> None:
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container(pod)["securityContext"] == {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not pod["automountServiceAccountToken"]
    assert set(container(pod)["resources"]) == {"requests", "limits"}


@each_serving
def test_a_pod_writes_nowhere_but_to_memory(pod: dict[str, Any]) -> None:
    writable = [mount["name"] for mount in container(pod)["volumeMounts"] if not mount.get("readOnly")]
    assert [volume["emptyDir"]["medium"] for volume in pod["volumes"] if volume["name"] in writable] == ["Memory"]


@each_serving
def test_a_pod_is_not_killed_while_it_finishes(pod: dict[str, Any]) -> None:
    graceful = runpy.run_path(str(CHECKOUT / "gunicorn.conf.py"))["graceful_timeout"]
    before = container(pod)["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] > before + graceful


@pytest.mark.usefixtures("no_settings")
@each_serving
def test_the_app_takes_the_settings_of_a_pod(pod: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables(pod).items():
        monkeypatch.setenv(name, value)
    model_path = create_app().config["MODEL_PATH"]
    assert any(model_path.startswith(mount["mountPath"]) for mount in container(pod)["volumeMounts"])


@each_serving
def test_variables_of_services_are_off(pod: dict[str, Any]) -> None:
    assert not pod["enableServiceLinks"]


def probes(pod: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name in ("startupProbe", "livenessProbe", "readinessProbe"):
        yield name, container(pod)[name]["httpGet"]["path"]


@each_serving
def test_every_probe_is_answered_and_a_worker_without_a_model_is_alive_but_not_ready(
    pod: dict[str, Any], client: FlaskClient, make_app: Callable[..., Flask]
) -> None:
    without_model = make_app(MODEL_PATH="/nowhere").test_client()
    for name, path in probes(pod):
        assert client.get(path).status_code == 200
        assert without_model.get(path).status_code == (503 if name == "readinessProbe" else 200)


@each_serving
def test_probes_come_to_the_port_that_the_container_listens_at(pod: dict[str, Any]) -> None:
    (port,) = container(pod)["ports"]
    asked = {container(pod)[name]["httpGet"]["port"] for name, _ in probes(pod)}
    assert port["containerPort"] == 8000
    assert asked <= {port["name"], port["containerPort"]}


def test_prometheus_finds_the_metrics(client: FlaskClient) -> None:
    annotations = POD["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(container(POD["spec"])["ports"][0]["containerPort"])
    assert client.get(annotations["prometheus.io/path"]).status_code == 200


def test_kserve_finds_its_model_by_the_protocol_that_is_named(client: FlaskClient) -> None:
    settings = variables(PREDICTOR)
    path = f"/{settings['PROTOCOL']}/models/{settings['IRIS_MODEL_NAME']}"
    assert client.get(path).get_json()["name"] == INFERENCE_SERVICE["metadata"]["name"]
