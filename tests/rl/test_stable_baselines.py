"""Agents of Stable-Baselines3 train on the environment."""

import numpy as np
import pytest
import torch

import netsim
from rl.env import SlicingEnv
from rl.networks import single_thread

stable_baselines3 = pytest.importorskip("stable_baselines3")

KINDS = {
    "DQN": ("discrete", {"target_update_interval": 50, "learning_starts": 32, "train_freq": 4, "buffer_size": 300}),
    "PPO": ("shares", {"n_steps": 64, "batch_size": 32, "n_epochs": 2}),
    "SAC": ("shares", {"learning_starts": 32, "train_freq": 4, "buffer_size": 300}),
}
STEPS = 192


@pytest.fixture(scope="module")
def tiny():
    return netsim.load_scenario("tiny")


@pytest.mark.parametrize("mode", ["discrete", "shares"])
def test_their_checker_passes(tiny, mode):
    from stable_baselines3.common.env_checker import check_env

    check_env(SlicingEnv(tiny, action_mode=mode, periods=5), warn=False)


@pytest.mark.parametrize("name", KINDS)
def test_they_learn(tiny, name):
    """Every weight matrix of the policy moves, all stays finite, and what the policy says is an action."""
    single_thread()
    mode, options = KINDS[name]
    env = SlicingEnv(tiny, action_mode=mode, periods=25)
    policy_kwargs = {"net_arch": [16, 16]}
    model = getattr(stable_baselines3, name)(
        "MlpPolicy", env, seed=1, device="cpu", policy_kwargs=policy_kwargs, **options
    )
    before = {key: value.clone() for key, value in model.policy.state_dict().items()}
    model.learn(STEPS)
    after = model.policy.state_dict()
    assert model.num_timesteps == STEPS
    assert all(torch.isfinite(value).all() for value in after.values())
    assert [key for key, value in after.items() if "weight" in key and torch.equal(value, before[key])] == []
    observation, _ = env.reset(seed=9)
    action, _ = model.predict(observation, deterministic=True)
    info = env.step(action)[4]
    assert sum(info["allocation"]) == 20
    assert np.isfinite(info["utility"])
