"""A trained policy to take along: ONNX, and plain numpy without this package.

Both forms take arrivals per slice and give the units per slice; they are checked to choose what the agent chooses.
"""

import inspect
import runpy
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netsim import allocations
from netsim.errors import InputError, RunError
from netsim.files import write_atomic
from rl import standalone
from rl.agents import Policy
from rl.agents.dqn import Dqn
from rl.agents.feature_ddqn import FeatureDdqn, features
from rl.agents.gan_ddqn import GanDdqn
from rl.networks import layer_names
from rl.onnx_policy import Layers, write_onnx
from rl.students import Student

CHECKED_STATES = 1000
FILES = frozenset({"policy.npz", "policy.py", "policy.onnx", "__pycache__"})
"""What may be in the folder of a policy; Python leaves the last when the policy is imported."""

SOURCE = inspect.getsource(standalone)
"""What is written as policy.py."""


def dense(agent: Policy) -> Layers:
    """A greedy policy as layers with ReLU between them: weights ``(out, in)`` and biases ``(out,)``.

    The outputs are the scores of the allocations, or of slices and units where :func:`per_slice`.

    Raises
    ------
    InputError
        If the agent is none of those known here.
    """
    if isinstance(agent, Dqn | Student):
        return [_layer(agent.parameters, name) for name in [*layer_names(agent.parameters, "hidden"), "head.0"]]
    if isinstance(agent, FeatureDdqn):
        return _dense_features(agent)
    if isinstance(agent, GanDdqn):
        return _dense_generator(agent)
    raise InputError(
        f"a {type(agent).__name__} cannot be exported: what its layers are is not known; export a student of it, see "
        "netsim distill"
    )


def exportable(policy: Policy) -> bool:
    """Whether the layers of a policy are known; those of somebody else's agent are not."""
    return isinstance(policy, Dqn | Student | FeatureDdqn | GanDdqn)


def per_slice(policy: Policy) -> bool:
    """Whether the last layer scores units of slices, whose sums are the scores of the allocations."""
    return isinstance(policy, Student) and policy.config.head == "factored"


def _layer(parameters: Any, name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    weight, bias = (parameters[f"{name}.{part}"].detach().cpu().numpy().copy() for part in ("weight", "bias"))
    return weight, bias


def _dense_features(agent: FeatureDdqn) -> Layers:
    """psi of all allocations is a constant matrix, so phi and it are one network with an output per allocation."""
    parameters = agent.parameters
    psi = features(agent.task.shares())
    for name in layer_names(parameters, "share"):
        weight, bias = _layer(parameters, name)
        psi = np.maximum(psi @ weight.T + bias, 0.0)
    out, offset = _layer(parameters, "share_out.0")
    psi = (psi @ out.T + offset) / np.sqrt(psi.dtype.type(len(out)))
    last, shift = _layer(parameters, "state_out.0")
    hidden = [_layer(parameters, name) for name in layer_names(parameters, "state")]
    return [*hidden, ((psi @ last).astype(np.float32), (psi @ shift).astype(np.float32))]


def _dense_generator(agent: GanDdqn) -> Layers:
    """The noise of the policy is fixed, so its embedding is a diagonal; K noises are K blocks side by side.

    The advantages' head is linear, so the mean over the noises goes into it.
    """
    parameters, noises = agent.parameters, agent.policy_noise().cpu().numpy()
    weight, bias = _layer(parameters, "noise.0")
    embeddings = np.maximum(noises @ weight.T + bias, 0.0)
    state = _layer(parameters, "state.0")
    common, advantage, head = (_layer(parameters, f"{name}.0") for name in ("common", "advantage", "advantages"))
    blocks = [common[0] * e for e in embeddings]
    k = len(embeddings)
    wide = np.kron(np.eye(k, dtype=np.float32), advantage[0])
    return [
        state,
        (np.concatenate(blocks), np.tile(common[1], k)),
        (wide, np.tile(advantage[1], k)),
        (np.tile(head[0], k) / np.float32(k), head[1]),
    ]


def export(agent: Policy, folder: Path, *, onnx: bool) -> dict[str, Any]:
    """Write ``policy.npz`` with ``policy.py``, and ``policy.onnx`` if asked for; return what was checked.

    Raises
    ------
    InputError
        The folder cannot be written, or ONNX is asked for and not installed.
    RunError
        A written policy does not choose what the agent chooses.
    """
    layers = dense(agent)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write_numpy(agent, layers, folder)
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror or error}") from None
    checked = {"numpy": _agreement(agent, _numpy_actions(folder))}
    if onnx:
        actions = write_onnx(agent.task, layers, folder / "policy.onnx", per_slice=per_slice(agent))
        checked["onnx"] = _agreement(agent, actions)
    wrong = [name for name, share in checked.items() if share < 1.0]
    if wrong:
        raise RunError(f"{folder}: {', '.join(wrong)} do not choose what the agent chooses: {checked}")
    return {"states_checked": CHECKED_STATES, "agreement": checked, "layers": [list(w.shape) for w, _ in layers]}


# -- the two forms -----------------------------------------------------------------------------------------------------


def _write_numpy(agent: Policy, layers: Layers, folder: Path) -> None:
    task = agent.task
    arrays: dict[str, NDArray[Any]] = {
        "layers": np.array(len(layers)),
        "scale": np.array(task.encoder.scale),
    }
    if per_slice(agent):
        arrays |= {"units": np.array(task.units), "slices": np.array(task.n_slices)}
    else:
        arrays["allocations"] = allocations.enumerate_all(task.units, task.n_slices)
    for i, (weight, bias) in enumerate(layers):
        arrays |= {f"weight{i}": weight, f"bias{i}": bias}
    np.savez(folder / "policy.npz", **arrays)  # type: ignore[arg-type]
    write_atomic(folder / "policy.py", SOURCE)


def _numpy_actions(folder: Path) -> Any:
    """The written policy's choices, as numbers of allocations, for arrivals of shape ``(B, N)``."""
    policy = runpy.run_path(str(folder / "policy.py"))["Policy"]()
    return lambda arrived: np.array([allocations.rank(policy(row)) for row in arrived])


def _agreement(agent: Policy, actions: Any) -> float:
    """Share of states in which a policy chooses what the agent does, or what it scores the same to six digits."""
    task = agent.task
    spread = np.random.Generator(np.random.Philox(task.seed)).uniform(0.5, 1.5, (CHECKED_STATES, task.n_slices))
    arrived = np.rint(np.expm1(np.array(task.encoder.scale)) * spread)
    scores = agent.scores(task.encoder(arrived))
    best = scores.max(axis=1)
    chosen = scores[np.arange(CHECKED_STATES), actions(arrived)]
    return float((best - chosen <= 1e-6 * (1.0 + np.abs(best))).mean())
