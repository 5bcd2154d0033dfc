"""Every error a user of netsim can meet, with the exit status each one stands for."""


class NetsimError(Exception):
    """Base of all errors that netsim raises on purpose. ``exit_status`` is what the command line returns."""

    exit_status = 1


class ScenarioError(NetsimError, ValueError):
    """A scenario is wrong. The message has one line per fault: ``file:line:col: key: rule, got value``."""

    exit_status = 2


class AllocationError(NetsimError, ValueError):
    """An allocation is not N whole numbers of units, each at least 1, that sum to the carrier."""


class PluginError(NetsimError):
    """A plugin cannot be found, has the wrong form, or raised while it was called."""


class RunError(NetsimError):
    """A run could not be carried out or its results could not be kept."""


class InputError(RunError, ValueError):
    """What the user asked for is wrong (a folder that exists, an unknown name): exit status 2."""

    exit_status = 2
