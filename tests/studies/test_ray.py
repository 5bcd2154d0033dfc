"""The same study on a Ray cluster: the same bytes, also if a node dies (extra ``ray``; a cluster starts in seconds)."""

import re
import subprocess
from types import SimpleNamespace

import pytest

from netsim.studies import jobs
from netsim.studies import ray as engine
from tests.studies.small import (
    ROOT,
    RUNS,
    command,
    done,
    environment,
    finished_of,
    planned,
    results_of,
    seals_of,
    wait_until,
)

STUDY = RUNS.replace("seeds: 2, periods: 3", "seeds: 5, periods: 50").replace(
    "measures:",
    """
  - group: trained
    command: train tiny --interactions 40 --seed {seed} --training evaluate_every=0
  - group: landscapes
    command: landscape folder:trained --no-planes --hyper points=3 --hyper transitions=8
measures:""",
)


def test_without_ray_it_is_said_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(engine.InputError, match=r"pip install 'slicetwin\[ray\]'"):
        engine.RayEngine(tmp_path, 1, None)


def test_a_folder_comes_back_from_a_node_as_it_was_and_its_seal_last(tmp_path):
    """What the folder had before goes, a lock aside."""
    there = tmp_path / "node" / "job"
    (there / "out" / "deep").mkdir(parents=True)
    for name in ("manifest.json", "result.json", "log.txt", ".lock", "out/deep/a.bin"):
        (there / name).write_bytes(name.encode())
    here = tmp_path / "job"
    (here / "out").mkdir(parents=True)
    (here / "out" / "stale").touch()
    (here / ".lock").touch()
    engine.arrive(engine.packed([there], there), here)
    found = {str(path.relative_to(here)): path.read_bytes() for path in here.rglob("*") if path.is_file()}
    assert found == {
        ".lock": b"", "manifest.json": b"manifest.json", "result.json": b"result.json", "log.txt": b"log.txt",
        "out/deep/a.bin": b"out/deep/a.bin",
    }  # fmt: skip


def test_a_run_whose_files_are_others_on_the_node_fails_by_itself_and_is_begun_anew_next_time(tmp_path):
    own, there, here = tmp_path / "own.yaml", tmp_path / "node", tmp_path / "jobs" / "equal.0"
    job = planned(RUNS.replace("run tiny", f"run {own}")).jobs[0]
    own.write_text("a")
    (there / "out").mkdir(parents=True)
    jobs.seal(there, job.command)
    own.write_text("b")
    here.mkdir(parents=True)
    made = object.__new__(engine.RayEngine)
    made._folder, made._said, made._running = here.parent, {job.name: 0}, {"task": (job, jobs.take(here))}
    made._ray = SimpleNamespace(get=lambda task: (0, engine.packed([there], there), engine.versions("torch")))
    ended = made._judged("task")
    assert (ended.job, ended.put_off) == (job, False)
    assert re.match(r"(?s)on the node: .*inputs\..*own.yaml: .* there, .* asked for", ended.error)
    assert not jobs.finished(here, job)


@pytest.fixture
def cluster():
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    yield made
    made.shutdown()
    ray.shutdown()


@pytest.mark.whole
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_a_study_on_two_nodes_of_which_one_is_killed_is_the_same_bytes_as_on_one_machine(cluster, tmp_path):
    file, out = tmp_path / "small.yaml", tmp_path / "out"
    file.write_text(STUDY)
    node = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    asked = [*command(file, out, "--engine", "ray", "--address", cluster.address)]
    with subprocess.Popen(asked, cwd=ROOT, env=environment(), stderr=subprocess.PIPE) as driver:
        wait_until(lambda: len(seals_of(out)) >= 3 or driver.poll() is not None)
        assert driver.poll() is None, driver.stderr.read().decode()
        cluster.remove_node(node, allow_graceful=False)
        message = driver.communicate(timeout=1800)[1].decode()
    assert driver.returncode == 0, message
    study = planned(STUDY)
    assert finished_of(study, out) == [job.name for job in study.jobs]
    assert done(command(file, tmp_path / "local", "--jobs", 2)).returncode == 0
    assert results_of(out) == results_of(tmp_path / "local")
