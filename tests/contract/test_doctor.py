"""``netsim doctor``: what is there is told, and what is broken is found."""

import importlib.metadata
import json
import platform
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import netsim
from netsim import checkups, doctor, hookimpl, plugins
from netsim.cli import netsim as command
from netsim.errors import RunError
from netsim.plugins import Installed, Named
from rl import checkups as of_learning
from tests.contract.test_imports import HEAVY, ROOT, loaded_after


def asked(*arguments, status=0):
    done = CliRunner().invoke(command, ["doctor", "--quick", *arguments], catch_exceptions=False)
    assert done.exit_code == status, done.output
    return done.output


def findings(status=0):
    return json.loads(asked("--json", status=status))


@pytest.fixture
def requiring(monkeypatch):
    """Sets what the distribution says it requires."""
    true = importlib.metadata.requires

    def require(*texts):
        monkeypatch.setattr(
            importlib.metadata, "requires", lambda name: list(texts) if name == "slicetwin" else true(name)
        )

    return require


@pytest.fixture
def also_installed(monkeypatch):
    """Adds a plugin to those that are installed."""

    def add(plugin):
        there = plugins.installed()
        monkeypatch.setattr(
            plugins, "installed", lambda: Installed((*there.plugins, Named("mine", plugin)), there.errors)
        )

    return add


# -- what is there -----------------------------------------------------------------------------------------------------


def test_versions_plugins_cores_and_cache_are_told():
    found = findings()
    assert found["packages"]["python"]["found"] == platform.python_version()
    assert found["packages"]["slicetwin"]["found"] == netsim.__version__
    assert found["packages"]["numpy"]["found"] == np.__version__
    assert {"rl", "twin"} <= set(found["plugins"])
    assert set(found["checkups"]) == {"cores", "cache", "PyTorch"}
    assert found["checkups"]["cores"]["figures"]["usable"] >= 1
    assert found["broken"] == []


def test_the_table_says_the_same():
    told = asked()
    for words in (platform.python_version(), np.__version__, "plugin twin", "cores", "all that is needed works"):
        assert words in told


def test_the_cache_is_warm_after_a_run_and_told_where_it_cannot_be_written(monkeypatch, tmp_path):
    monkeypatch.setenv("SLICETWIN_CACHE", str(tmp_path / "cold"))
    cold = findings()["checkups"]["cache"]
    assert cold["figures"] == {"folder": str(tmp_path / "cold"), "writable": True, "warm": False, "compiled": 0}
    assert "the first run takes ten seconds more" in cold["found"]
    (tmp_path / "file").touch()
    monkeypatch.setenv("SLICETWIN_CACHE", str(tmp_path / "file" / "within"))
    shut = findings()["checkups"]["cache"]
    assert not shut["figures"]["writable"]
    assert "set SLICETWIN_CACHE to a folder that can" in shut["advice"]
    monkeypatch.undo()
    netsim.Simulation(netsim.load_scenario("tiny")).reset()
    assert findings()["checkups"]["cache"]["figures"]["warm"]


def test_extras_that_are_missing_come_with_the_command_that_gets_them(requiring):
    requiring("numpy>=2", 'nowhere-to-be-found>=1; extra == "onnx"', 'numpy>=2; extra == "bench"')
    found = findings()
    assert found["extras"] == {
        "onnx": {"missing": ["nowhere-to-be-found>=1"], "install": "pip install 'slicetwin[onnx]'"},
        "bench": {"missing": [], "install": "pip install 'slicetwin[bench]'"},
    }
    assert "onnx: nowhere-to-be-found>=1; pip install 'slicetwin[onnx]'" in asked()


def test_what_is_for_other_systems_is_not_asked_for(requiring):
    requiring("nowhere-to-be-found; sys_platform == 'amiga'")
    assert "nowhere-to-be-found" not in findings()["packages"]


def test_an_extra_of_a_package_is_there_if_what_it_needs_is(monkeypatch, requiring):
    true = importlib.metadata.requires
    requiring('numpy[fast]>=2; extra == "onnx"')
    faked = importlib.metadata.requires
    needs = ['nowhere-to-be-found; extra == "fast"']
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: needs if name == "numpy" else faked(name))
    assert findings()["extras"]["onnx"]["missing"] == ["numpy[fast]>=2"]
    assert true("slicetwin") != faked("slicetwin")


# -- what is broken ----------------------------------------------------------------------------------------------------


def test_a_package_that_is_missing_or_too_old_is_status_1_and_told_with_the_command(requiring):
    requiring("nowhere-to-be-found>=1", "numpy>=99")
    assert findings(status=1)["broken"] == [
        "nowhere-to-be-found>=1 is needed, not installed: pip install 'nowhere-to-be-found>=1'",
        f"numpy>=99 is needed, version {np.__version__}: pip install 'numpy>=99'",
    ]
    assert "something that is needed does not work" in asked(status=1)


def test_a_checkout_that_is_not_installed_is_told_how_to_be(monkeypatch):
    def absent(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", absent)
    [line] = findings(status=1)["broken"]
    assert line == f"slicetwin runs from {ROOT} and is not installed, so without plugins: pip install -e {ROOT}"


def test_a_plugin_that_cannot_be_loaded_is_named(monkeypatch):
    there = plugins.installed()
    broken = Installed(there.plugins, (RunError("plugin 'radar' of the distribution 'radars' cannot be loaded"),))
    monkeypatch.setattr(plugins, "installed", lambda: broken)
    assert findings(status=1)["broken"] == ["plugin 'radar' of the distribution 'radars' cannot be loaded"]


def test_plugins_look_at_the_machine_too_and_what_they_raise_is_a_finding(also_installed):
    class Plugin:
        @hookimpl
        def checkups(self, measure):
            return {"radio": lambda: checkups.Checkup("on air"), "antenna": lambda: 1 // 0, f"measuring {measure}": own}

    def own():
        raise RunError("is off; turn it on")

    also_installed(Plugin())
    found = findings(status=1)
    assert found["checkups"]["radio"] == {"found": "on air", "figures": {}, "advice": ""}
    assert [line.split(":")[0] for line in found["broken"]] == ["antenna", "measuring False"]
    assert "is off; turn it on" in found["broken"][1]


def test_without_the_compiler_the_doctor_still_speaks():
    code = (
        "import sys; sys.modules['numba'] = None; sys.argv = ['netsim', 'doctor', '--quick']\n"
        "from netsim.cli import main; sys.exit(main())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (1, "")
    assert re.search(r"broken: cache: ModuleNotFoundError: .*numba", done.stdout)


def test_torch_is_not_imported_by_netsim_s_own_checkups():
    code = "from netsim import checkups; [look() for look in checkups.own(False).values()]"
    assert set(loaded_after(code)) <= set(HEAVY) - {"torch", "gymnasium", "matplotlib", "pyarrow"}


# -- how fast ----------------------------------------------------------------------------------------------------------


def test_a_rate_is_what_the_clock_says(monkeypatch):
    class Clock:
        now = 0.0

        def perf_counter(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(checkups, "time", clock)

    def work():
        clock.now += 0.0078125

    assert checkups.rate_per_s(work) == 128.0


def test_the_simulator_and_learning_are_measured_beside_the_figures_of_the_readmes(monkeypatch):
    monkeypatch.setattr(checkups, "MEASURED_S", 0.02)
    measured = checkups.simulator(), of_learning.learning()
    for found, kind in zip(measured, ("periods_per_s", "gradient_steps_per_s"), strict=True):
        assert found.figures[kind] > 0
        assert f"README's machine {found.figures[f'readme_{kind}']:,.0f}" in found.found
    assert f"({checkups.REFERENCE_PERIOD_MS} ms)" in (ROOT / "README.md").read_text()
    assert f"to {of_learning.REFERENCE_UPDATE_MS} ms)" in (ROOT / "rl" / "README.md").read_text()


def test_what_is_measured_of_learning_is_a_gradient_step_and_the_process_is_left_as_it_was(monkeypatch):
    done, threads = [], torch.get_num_threads()
    monkeypatch.setattr(of_learning, "rate_per_s", lambda work: done.append(work()) or 1.0)
    of_learning.learning()
    assert done[0] > 0  # a loss, which there is none of before an agent learns
    assert torch.get_num_threads() == threads
    assert torch.tensor(5e-324, dtype=torch.float64) * 1 > 0  # denormal numbers are there


def test_quick_measures_nothing():
    assert set(checkups.own(True)) - set(checkups.own(False)) == {"simulator"}
    assert set(of_learning.checkups(True)) - set(of_learning.checkups(False)) == {"learning"}
    assert doctor.examine(measure=False).broken == []
