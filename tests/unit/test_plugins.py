"""Plugins are found by name, refused by form, called in order, and blamed by name."""

import functools
import importlib.metadata
import sys
import textwrap

import click
import pytest

from netsim import plugins
from netsim.errors import InputError, PluginError
from netsim.hooks import hookimpl
from netsim.loading import load_scenario
from netsim.plugins import Named, PluginSet, attach, create, load_object, make_controller, plugin_set, using

TABLE1 = load_scenario("table1")


@pytest.fixture
def file(tmp_path):
    def write(text, name="mine.py"):
        path = tmp_path / name
        path.write_text("from netsim.hooks import hookimpl\n" + textwrap.dedent(text))
        return str(path)

    return write


GOOD = """
class Mine:
    @hookimpl
    def decide_allocation(self, report):
        return 1, 2, 97
"""


# -- naming ------------------------------------------------------------------------------------------------------------


def test_a_class_in_a_file_is_loaded_and_the_file_run_once(file):
    path = file(GOOD + "class Other(Mine): pass\n")
    mine, other = load_object(f"{path}:Mine"), load_object(f"{path}:Other")
    assert issubclass(other, mine)


def test_a_file_that_changed_is_run_again(file):
    path = file("VALUE = 1\n")
    assert load_object(f"{path}:VALUE") == 1
    file("VALUE = 2\n")
    assert load_object(f"{path}:VALUE") == 2


def test_files_of_one_name_do_not_meet(file, tmp_path):
    (tmp_path / "a").mkdir()
    one, two = file("VALUE = 1\n", "a/mine.py"), file("VALUE = 2\n", "mine.py")
    assert (load_object(f"{one}:VALUE"), load_object(f"{two}:VALUE")) == (1, 2)


def test_a_module_is_found_where_python_looks_and_in_the_working_folder(file, tmp_path, monkeypatch):
    assert load_object("netsim.plugins:PluginSet") is PluginSet
    file("VALUE = 3\n", "a_module_of_mine.py")
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    assert load_object("a_module_of_mine:VALUE") == 3
    assert sys.path == before


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("mine", "must have the form"),
        (":Mine", "must have the form"),
        ("mine.py:", "must have the form"),
        ("no_such_module:Mine", "there is no module 'no_such_module'"),
        ("netsim.no_such_module:Mine", "there is no module 'netsim.no_such_module'"),
        (".plugins:Mine", "must be an absolute module name"),
        ("nowhere/mine.py:Mine", "cannot read nowhere/mine.py: No such file"),
        ("netsim.plugins:PlugniSet", "netsim.plugins has no 'PlugniSet', did you mean 'PluginSet'?"),
    ],
)
def test_what_cannot_be_found_is_wrong_input(spec, message):
    with pytest.raises(PluginError, match=r"^plugin |^'") as caught:
        load_object(spec)
    assert message in str(caught.value)
    assert caught.value.exit_status == 2
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("text", ["1 / 0\n", "raise SystemExit(3)\n", "def broken(:\n", "import no_such_module\n"])
def test_a_file_that_raises_is_blamed_with_its_own_exception(file, text):
    path = file(text)
    with pytest.raises(PluginError, match=r"mine\.py raised when it was loaded") as caught:
        load_object(f"{path}:Mine")
    assert isinstance(caught.value.__cause__, ZeroDivisionError | SystemExit | SyntaxError | ModuleNotFoundError)
    assert not [name for name in sys.modules if name.startswith("netsim_file_mine") and "raise" in name]
    with pytest.raises(PluginError, match="raised when it was loaded"):  # no half-run module stays behind
        load_object(f"{path}:Mine")


# -- controllers -------------------------------------------------------------------------------------------------------


def test_controllers_are_named_with_and_without_text(file):
    assert type(make_controller("equal", TABLE1)).__name__ == "Equal"
    assert make_controller("fixed:3,70,27", TABLE1).decide_allocation(None) == (3, 70, 27)
    assert make_controller(f"{file(GOOD)}:Mine", TABLE1).decide_allocation(None) == (1, 2, 97)
    assert type(make_controller("netsim.controllers:Random", TABLE1)).__name__ == "Random"


def test_a_registered_name_before_the_colon_wins_over_a_module(file, tmp_path, monkeypatch):
    file("raise RuntimeError\n", "fixed.py")
    monkeypatch.chdir(tmp_path)
    assert make_controller("fixed:3,70,27", TABLE1).decide_allocation(None) == (3, 70, 27)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("eqal", "there is no controller 'eqal', did you mean 'equal'?"),
        ("", "there is no controller ''"),
        ("equal:5", "controller 'equal:5': nothing may follow the name"),
        ("fixed:3,70", "fixed:VoLTE,video,URLLC needs 3 whole numbers"),
        ("fixed", "fixed:VoLTE,video,URLLC needs 3 whole numbers"),
    ],
)
def test_a_wrong_name_or_text_is_wrong_input(spec, message):
    with pytest.raises(InputError) as caught:
        make_controller(spec, TABLE1)
    assert message in str(caught.value)


def test_a_factory_of_any_kind_is_called():
    offers = Offers(special=functools.partial(dict, a=1), counted=type("Factory", (), {"__call__": lambda self: 5})())
    with using(plugin_set([Named("mine", offers)])):
        assert make_controller("special", TABLE1) == {"a": 1}
        assert make_controller("counted", TABLE1) == 5


def test_an_object_that_is_made_is_taken_as_it_is(file):
    path = file(GOOD + "MINE = Mine()\n")
    assert make_controller(f"{path}:MINE", TABLE1) is load_object(f"{path}:MINE")
    assert make_controller(load_object(f"{path}:MINE"), TABLE1) is load_object(f"{path}:MINE")


def test_a_controller_that_asks_for_the_scenario_gets_it(file):
    path = file("class Asks:\n    def __init__(self, scenario):\n        self.scenario = scenario\n")
    assert make_controller(f"{path}:Asks", TABLE1).scenario is TABLE1


def test_a_controller_that_cannot_be_made_is_blamed(file):
    path = file("class Wants:\n    def __init__(self, more):\n        pass\n")
    with pytest.raises(PluginError, match=r"Wants' cannot be made: TypeError.*more"):
        make_controller(f"{path}:Wants", TABLE1)


# -- naming hooks ------------------------------------------------------------------------------------------------------


class Offers:
    def __init__(self, **offers):
        self.offers = offers

    @hookimpl
    def controllers(self):
        return self.offers


def test_names_of_attached_plugins_are_known_within_the_block_only():
    with using(plugin_set([Named("mine", Offers(special=dict))])):
        assert "special" in plugins.registered_names("controllers")
        assert create("controllers", "special", {"a": 1}, None) == {"a": 1}
    assert "special" not in plugins.registered_names("controllers")


def test_a_name_offered_twice_is_refused():
    with using(plugin_set([Named("mine", Offers(equal=dict))])), pytest.raises(PluginError) as caught:
        plugins.registered_names("controllers")
    assert str(caught.value) == "controller 'equal' is offered by 'mine' and by 'netsim'"


@pytest.mark.parametrize("offer", [["a"], {"a": 1}, {1: dict}, None])
def test_an_offer_that_is_no_mapping_to_factories_is_refused(offer):
    mine = Offers()
    mine.offers = offer
    with using(plugin_set([Named("mine", mine)])), pytest.raises(PluginError, match="must return a mapping"):
        plugins.registered_names("controllers")


def test_a_kind_can_be_named_by_its_class_in_a_file_of_the_folder(file, tmp_path):
    file("class Traffic:\n    def __init__(self, name):\n        self.name = name\n")
    assert create("traffic_kinds", "mine.py:Traffic", {"name": 5}, tmp_path).name == 5
    with pytest.raises(PluginError, match=r"traffic kind .* cannot be made: TypeError"):
        create("traffic_kinds", "mine.py:Traffic", {"nmae": 5}, tmp_path)
    with pytest.raises(InputError, match="there is no scheduler 'mine'"):
        create("schedulers", "mine", {}, tmp_path)


# -- form --------------------------------------------------------------------------------------------------------------


def marked(name, function):
    return type("Mine", (), {name: hookimpl(function)})()


@pytest.mark.parametrize(
    ("plugin", "message"),
    [
        (
            marked("decide_alocation", lambda self, report: None),
            "no hook has this name, did you mean 'decide_allocation'",
        ),
        (
            marked("period_ended", lambda self, repport: None),
            "takes 'repport', which the hook does not pass; it passes",
        ),
        (marked("period_ended", lambda self, report, more: None), "takes 'more', which the hook does not pass"),
        (marked("period_ended", lambda self, *, report: None), "takes 'report' by keyword only"),
        (type("Mine", (), {"run_ended": lambda self: None})(), "run_ended has a hook's name but is not marked"),
        (object(), "no method is marked with @netsim.hookimpl"),
    ],
)
def test_a_plugin_of_the_wrong_form_is_refused(plugin, message):
    with pytest.raises(PluginError, match=r"^plugin 'mine' has the wrong form: ") as caught:
        PluginSet([Named("mine", plugin)])
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "function",
    [
        lambda self: None,
        lambda self, report: None,
        lambda self, report, mine=3: None,
        lambda self, report, **more: None,
    ],
)
def test_a_plugin_takes_the_arguments_it_needs(function):
    PluginSet([Named("mine", marked("period_ended", function))]).hook.period_ended(report=None)


def test_properties_of_a_plugin_are_not_run_when_it_is_registered():
    class Mine:
        @property
        def expensive(self):
            raise RuntimeError

        @functools.cached_property
        def kept(self):
            raise RuntimeError

        @hookimpl
        def period_ended(self):
            pass

    PluginSet([Named("mine", Mine())])


# -- calling -----------------------------------------------------------------------------------------------------------


class Says:
    def __init__(self, word, heard, decision=None):
        self.word, self.heard, self.decision = word, heard, decision

    @hookimpl
    def period_ended(self):
        self.heard.append(self.word)

    @hookimpl
    def decide_allocation(self):
        self.heard.append(self.word)
        return self.decision


def test_plugins_are_called_in_the_order_in_which_they_are_named():
    heard = []
    PluginSet([Named(word, Says(word, heard)) for word in "abc"]).hook.period_ended(report=None)
    assert heard == ["a", "b", "c"]


def test_the_first_that_decides_ends_the_question():
    heard = []
    everybody = PluginSet(
        [Named("a", Says("a", heard)), Named("b", Says("b", heard, 1)), Named("c", Says("c", heard, 2))]
    )
    assert everybody.hook.decide_allocation(report=None) == 1
    assert (heard, everybody.decided_by) == (["a", "b"], "b")


def test_a_plugin_named_twice_is_called_twice_under_two_names():
    heard = []
    twice = PluginSet([Named("a", Says("x", heard)), Named("a", Says("y", heard))])
    twice.hook.period_ended(report=None)
    assert (heard, twice.names) == (["x", "y"], ("a", "a (2)"))


def test_what_a_plugin_raises_carries_its_name_and_its_own_exception():
    everybody = PluginSet([Named("mine", marked("period_ended", lambda self: 1 / 0))])
    with pytest.raises(PluginError) as caught:
        everybody.hook.period_ended(report=None)
    assert str(caught.value) == "plugin 'mine' failed in period_ended: ZeroDivisionError: division by zero"
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_process_that_raises_carries_its_plugin_s_name_and_values_pass_through():
    def process():
        got = yield "first"
        raise ValueError(got)

    everybody = PluginSet([Named("mine", marked("processes", lambda self, simulation: [process()]))])
    [[running]] = everybody.hook.processes(simulation=None)
    assert next(running) == "first"
    with pytest.raises(PluginError, match="plugin 'mine' failed in a process of its own: ValueError: sent"):
        running.send("sent")


def test_ctrl_c_in_a_plugin_is_not_the_plugin_s_error():
    def interrupted(self):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        PluginSet([Named("mine", marked("period_ended", interrupted))]).hook.period_ended(report=None)


def test_a_module_can_be_a_plugin(file):
    path = file(
        "from netsim.hooks import hookimpl as mark\n@hookimpl\ndef period_ended(report):\n    report.append(1)\n"
    )
    load_object(f"{path}:period_ended")
    [module] = [m for n, m in sys.modules.items() if n.startswith("netsim_file_mine") and m.__file__ == path]
    heard = []
    PluginSet([attach(module)]).hook.period_ended(report=heard)
    assert heard == [1]


# -- entry points ------------------------------------------------------------------------------------------------------


@pytest.fixture
def entry_points(monkeypatch):
    """Pretend that distributions have these plugins: name -> specification."""

    def pretend(**specs):
        entries = [importlib.metadata.EntryPoint(n, s, plugins.GROUP) for n, s in specs.items()]
        monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: entries)
        plugins.installed.cache_clear()

    yield pretend
    plugins.installed.cache_clear()


class Installed:
    @hookimpl
    def commands(self):
        return [click.Command("shout", callback=lambda: click.echo("HELLO"))]

    @hookimpl
    def decide_allocation(self):
        return 5, 5, 90


def test_an_installed_plugin_adds_commands_and_comes_after_those_that_are_named(entry_points):
    entry_points(shouting=f"{__name__}:Installed")
    assert list(plugins.installed_commands()[0]) == ["shout"]
    heard = []
    everybody = plugin_set([Named("mine", Says("mine", heard, (1, 2, 97)))])
    assert everybody.names == ("mine", "shouting", "netsim")
    assert everybody.hook.decide_allocation(report=None) == (1, 2, 97)


def test_a_broken_entry_point_leaves_the_commands_and_stops_a_run(entry_points):
    entry_points(broken="no_such_module:Plugin", shouting=f"{__name__}:Installed")
    commands, errors = plugins.installed_commands()
    assert list(commands) == ["shout"]
    assert "plugin 'broken' of the distribution 'unknown' cannot be loaded" in str(errors[0])
    with pytest.raises(PluginError, match="plugin 'broken' of the distribution"):
        plugin_set()


@pytest.mark.parametrize(
    "processes",
    [
        lambda self, simulation: (each for each in [iter(())]),
        lambda self, simulation: [1],
        lambda self, simulation: [iter([])],
        lambda self, simulation: 3,
        lambda self, simulation: [len],
    ],
    ids=["a generator", "a number in it", "an iterator in it", "a number", "a function in it"],
)
def test_processes_that_are_no_list_of_generators_are_refused(processes):
    everybody = PluginSet([Named("mine", marked("processes", processes))])
    with pytest.raises(PluginError) as caught:
        everybody.hook.processes(simulation=None)
    assert str(caught.value).startswith("plugin 'mine': processes must return a list of generators, got ")
    assert str(caught.value).endswith("; write `return [self.p(simulation)]`")


def test_a_process_that_is_taken_for_the_hook_is_not_waited_for():
    """``while True: yield timeout`` in the hook itself: asking it for all its processes would never end."""

    def for_ever(self, simulation):
        while True:
            yield 1

    everybody = PluginSet([Named("mine", marked("processes", for_ever))])
    with pytest.raises(PluginError, match="must return a list of generators, got a generator"):
        everybody.hook.processes(simulation=None)


def test_none_and_no_processes_are_none():
    for nothing in (None, [], ()):
        everybody = PluginSet([Named("mine", marked("processes", lambda self, simulation, n=nothing: n))])
        assert [list(each) for each in everybody.hook.processes(simulation=None)] == [[]]


# -- wrappers ----------------------------------------------------------------------------------------------------------


def wrapping(**options):
    """A plugin that wraps decisions, raises before or after them if it is told to, and doubles what was decided."""

    class Wraps:
        before = after = None

        @hookimpl(**options)
        def decide_allocation(self, report):
            if self.before:
                raise self.before
            outcome = yield
            if self.after:
                raise self.after
            if "hookwrapper" in options:
                return outcome.force_result(2 * outcome.get_result())
            return 2 * outcome

    return Wraps()


@pytest.mark.filterwarnings("ignore::pluggy.PluggyTeardownRaisedWarning")
@pytest.mark.parametrize("options", [{"wrapper": True}, {"hookwrapper": True}], ids=str)
@pytest.mark.parametrize("when", ["before", "after"])
def test_what_a_wrapper_raises_carries_its_name_too(options, when):
    wraps = wrapping(**options)
    everybody = PluginSet([Named("around", wraps), Named("inside", Says("x", [], 7))])
    assert everybody.hook.decide_allocation(report=None) == 14
    setattr(wraps, when, ValueError("oh"))
    with pytest.raises(PluginError, match=r"^plugin 'around' failed in decide_allocation: ValueError: oh$") as caught:
        everybody.hook.decide_allocation(report=None)
    assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.filterwarnings("ignore::pluggy.PluggyTeardownRaisedWarning")
@pytest.mark.parametrize("options", [{"wrapper": True}, {"hookwrapper": True}], ids=str)
def test_a_wrapper_is_not_blamed_for_what_it_wraps(options):
    failing = Named("inside", marked("decide_allocation", lambda self: 1 / 0))
    everybody = PluginSet([Named("around", wrapping(**options)), failing])
    with pytest.raises(PluginError, match=r"^plugin 'inside' failed in decide_allocation: ZeroDivisionError"):
        everybody.hook.decide_allocation(report=None)


def test_a_wrapper_that_does_not_yield_is_of_the_wrong_form():
    mine = type("Mine", (), {"decide_allocation": hookimpl(wrapper=True)(lambda self, report: (1, 2, 97))})()
    with pytest.raises(PluginError, match="decide_allocation is a wrapper, so it must be a generator function"):
        PluginSet([Named("mine", mine)])
