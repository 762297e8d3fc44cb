"""Wrong edits to what a user sees: keys, numbers for a logger, and what each delivery refuses."""

from mutants.mutant import Mutant, attach

FORMER = "a_state_with_former_keys_is_gone_on_from"
LOGGERS = "tests/integrations/test_loggers.py::test_"
HINTS = "tests/test_hints.py::test_"

FACE = [
    Mutant(
        "a second penalty alike has the key of the first",
        "_keys.py",
        "return key if self._counts[key] == 1 else",
        "return key if True else",
        (attach("rules::the_second_key_alike_gets_a_number_and_its_own_value"),),
    ),
    Mutant(
        "keys have brackets",
        "_keys.py",
        '_ROOT = "model"',
        '_ROOT = "(root)"',
        (attach("report::as_dict_has_all_numbers_under_plain_keys"),),
    ),
    Mutant(
        "a key has letters that a logger refuses",
        "_keys.py",
        """        key = legal(key)
""",
        "",
        (LOGGERS + "keys_are_what_mlflow_takes",),
    ),
    Mutant(
        "a pair has the name that a user gave it",
        "monitor/_reading.py",
        'legal(f"{self.key}/{number}{again}"): value',
        'f"{self.key}/{number}{again}": value',
        (LOGGERS + "keys_are_what_mlflow_takes",),
    ),
    Mutant(
        "a state with former keys is one of other rules",
        "attach/control/_control.py",
        "        state = with_todays_keys(state)\n",
        "",
        (attach(f"control::{FORMER}"),),
    ),
    Mutant(
        "an optimizer's state with former keys is not found",
        "attach/step/_carried_state.py",
        "return next(iter(same), self._name)",
        "return self._name",
        (attach(f"carried::{FORMER}"),),
    ),
    Mutant(
        "what is wanted is logged as what is measured",
        "attach/_regularization.py",
        'f"{key}/measured": reached.measured',
        'f"{key}/measured": reached.wanted',
        (attach("report::as_dict_has_all_numbers_under_plain_keys"),),
    ),
    Mutant(
        "the end of a context leaves the hooks",
        "attach/_regularization.py",
        "    def __exit__(self, *_: object) -> None:\n        self.detach()\n",
        "    def __exit__(self, *_: object) -> None:\n        pass\n",
        (attach("report::a_context_detaches_at_its_end"),),
    ),
    Mutant(
        "collect takes a scale that it never uses",
        "attach/collect/_collect.py",
        'raise _is_for_inject("set_scale")',
        "return",
        (attach("deliveries::each_delivery_has_its_own_methods"),),
    ),
    Mutant(
        "a second metric alike has the key of the first",
        "monitor/_reading.py",
        'legal(f"{self.key}/{number}{again}"): value',
        'legal(f"{self.key}/{number}"): value',
        (
            "tests/monitor/test_monitor.py::test_single_metrics_are_found_by_the_names_of_their_numbers",
        ),
    ),
    Mutant(
        "a name in other letters is not known",
        "_hints.py",
        'return name.replace("_", "").lower()',
        "return name",
        (f"{HINTS}a_name_of_another_library_says_what_to_use",),
    ),
]
