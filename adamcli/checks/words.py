"""What the libraries of the recorded cases call a rule's hyperparameters.

A row of `WORDS` says which rule a case of a given optimizer is, and how its words become
settings. A word that no setting answers makes the case one that is not offered, with the
reason; it is never ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from adamcli.optimizers import RULES, Rule
from adamcli.settings import settings_of

Hyper = Mapping[str, Any]


class NotOfferedError(Exception):
    """A recorded case uses a fork that adamcli does not have; the message says which."""


@dataclass(frozen=True)
class Words:
    """How the words of a case become settings of a rule.

    Words that are settings by the same name need no entry.

    Attributes:
        rule: the name of the rule.
        names: a library's word and the setting it is, the settings of a list of values, or
            the words of the mapping that it holds.
        only: words without a setting, and the one value that the rule has built in.
        values: settings whose values have other names in a library.
        choose: another row for some cases, decided by their words.
    """

    rule: str
    names: Mapping[str, str | tuple[str, ...] | Words] = field(default_factory=dict)
    only: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    choose: Callable[[Hyper], Words | None] = lambda hyper: None


_BETAS = {"betas": ("beta1", "beta2")}
_PRODIGY: Mapping[str, str | tuple[str, ...]] = {
    **_BETAS,
    "decouple": "decoupled",
    "use_bias_correction": "bias_correction",
}


_AMSGRAD = Words("amsgrad", _BETAS | {"amsgrad_max_of": "max_of"}, only={"amsgrad": True})


def _adamw(hyper: Hyper) -> Words | None:
    """AdamW with AMSGrad's maximum is amsgrad with decoupled decay."""
    return _AMSGRAD if hyper.get("amsgrad") else None


def _radam(hyper: Hyper) -> Words:
    """Whether the threshold is above itself matters to no case, so either answer will do."""
    return Words(
        "radam",
        _BETAS | {"eps_placement": "eps_beside"},
        only={"threshold_strict": hyper.get("threshold_strict")},
        values={"eps_beside": {"raw": "v", "hat": "v_hat"}},
    )


def _adan(hyper: Hyper) -> Words:
    """The weight of the difference is beta2, as the authors have it."""
    _, beta2, _ = hyper.get("betas", (0.98, 0.92, 0.99))
    if hyper.get("diff_coefficient", beta2) != beta2:
        raise NotOfferedError("1 - beta2 as the weight of the difference, a bug of optax.adan")
    return Words(
        "adan",
        {"betas": ("beta1", "beta2", "beta3"), "decay": "proximal"},
        only={"diff_coefficient": beta2, "eps_root": 0},
        values={"proximal": {"prox": True, "decoupled": False}},
    )


def _prodigy(hyper: Hyper) -> Words | None:
    """A growth_rate of 1e308 stands for infinity, which is none."""
    unbounded = hyper.get("growth_rate") == 1e308
    return Words("prodigy", _PRODIGY, only={"growth_rate": 1e308}) if unbounded else None


_MARS = Words(
    "mars",
    {
        **_BETAS,
        "mars_type": "form",
        "optimize_1d": "whole",
        "lr_1d": "other_lr",
        "betas_1d": ("other_beta1", "other_beta2"),
        "weight_decay_1d": "other_weight_decay",
        "first_step_plain": "plain_first",
    },
)

_MUON = Words(
    "muon",
    {
        "ns_steps": "steps",
        "ns_coefficients": "coefficients",
        "ns_norm": "norm",
        "adjust_lr": "scale",
        "fallback": Words(
            "muon",
            {
                "optimizer": "other",
                "lr": "other_lr",
                "betas": ("other_beta1", "other_beta2"),
                "eps": "other_eps",
                "weight_decay": "other_weight_decay",
            },
            only={"decoupled": True, "eps_root": 0, "schedule": "simple"},
        ),
    },
    values={"scale": {"optax_width": "width"}},
)

WORDS: dict[str, Words] = {
    "sgd": Words("sgd"),
    "sgdm": Words("sgdm", only={"nesterov": False}),
    "nesterov": Words("nesterov", only={"nesterov": True, "dampening": 0}),
    "rmsprop": Words(
        "rmsprop",
        {"alpha": "beta2", "eps_in_sqrt": "eps_in_root", "initial_scale": "initial"},
    ),
    "signsgd": Words("signsgd", only={"momentum": 0}),
    "signum": Words("signum"),
    "lion": Words("lion", _BETAS),
    "rprop": Words("rprop", {"etas": ("shrink", "grow"), "step_sizes": ("step_min", "step_max")}),
    "adagrad": Words(
        "adagrad", {"initial_accumulator_value": "initial", "eps_in_sqrt": "eps_in_root"}
    ),
    "adadelta": Words("adadelta", {"rho": "beta2"}),
    "adam": Words("adam", _BETAS, only={"decoupled": False, "amsgrad": False}),
    "adamw": Words("adamw", _BETAS, only={"decoupled": True, "amsgrad": False}, choose=_adamw),
    "amsgrad": _AMSGRAD,
    "adamax": Words("adamax", _BETAS),
    "nadam": Words("nadam", _BETAS | {"schedule": "form"}),
    "adan": Words("adan", choose=_adan),
    "radam": Words("radam", choose=_radam),
    "adabelief": Words("adabelief", _BETAS),
    "yogi": Words("yogi", _BETAS | {"initial_accumulator": "initial"}, only={"init_m_too": True}),
    "adopt": Words("adopt", _BETAS),
    "schedulefree_sgd": Words("schedulefree_sgd", {"weight_lr_power": "lr_power"}),
    "schedulefree_adamw": Words("schedulefree_adamw", {**_BETAS, "weight_lr_power": "lr_power"}),
    "prodigy": Words("prodigy", _PRODIGY, choose=_prodigy),
    "lamb": Words("lamb", _BETAS),
    "lars": Words("lars", {"trust_coefficient": "trust"}),
    "adafactor": Words("adafactor", {"eps": ("eps1", "eps2"), "d": "clip"}, {"flavour": "torch"}),
    "muon": _MUON,
    "mars": _MARS,
    "soap": Words("soap", {**_BETAS, "precondition_frequency": "every"}),
    "sophia": Words("sophia", {**_BETAS, "clip_threshold": "clip", "update_interval": "every"}),
}
"""By the optimizer that a recorded case names."""


def rule_of(optimizer: str, hyper: Hyper, rules: Mapping[str, type[Rule]] = RULES) -> Rule:
    """The rule of a recorded case.

    Args:
        optimizer: as the case names it.
        hyper: its hyperparameters in the library's words, without `lr_scale`.
        rules: by name; a plug-in stands there under the name of the rule it claims to be.

    Raises:
        NotOfferedError: there is no such rule, or it has not got one of the forks.
    """
    words = WORDS.get(optimizer)
    if words is None:
        raise NotOfferedError(f"no rule for {optimizer}")
    try:
        words = words.choose(hyper) or words
        if words.rule not in rules:
            raise NotOfferedError(f"no rule for {words.rule}")
        settings = _settings(words, hyper)
    except (TypeError, ValueError) as error:
        raise NotOfferedError(f"its settings cannot be read ({error})") from error
    return _built(rules[words.rule], _of_plugin(rules[words.rule], words.rule, settings))


def _of_plugin(rule_class: type[Rule], rule: str, settings: Hyper) -> Hyper:
    """The settings of a built-in rule for a class that may have fewer of them.

    What the class has not got must have the value that it has by default, which leaves it out.
    """
    known = {setting.name for setting in settings_of(rule_class)}
    defaults = {setting.name: setting.default for setting in settings_of(RULES[rule])}
    for name, value in settings.items():
        if name not in known and value != defaults[name]:
            raise NotOfferedError(f"no setting for {name}: {value}")
    return {name: value for name, value in settings.items() if name in known}


def _settings(words: Words, hyper: Hyper) -> dict[str, Any]:
    """The settings that the words of a case stand for."""
    settings: dict[str, Any] = {}
    known = {setting.name for setting in settings_of(RULES[words.rule])}
    for word, value in hyper.items():
        name = words.names.get(word, word)
        if word in words.only:
            if value != words.only[word]:
                raise NotOfferedError(f"{word}: {value} is not offered, only {words.only[word]}")
        elif isinstance(name, Words):
            settings |= _settings(name, value)
        elif isinstance(name, tuple):
            settings |= dict(zip(name, value, strict=True))
        elif name not in known:
            raise NotOfferedError(f"no setting for {word}: {value}")
        else:
            settings[name] = words.values[name].get(value, value) if name in words.values else value
    return settings


def _built(rule_class: type[Rule], settings: Hyper) -> Rule:
    """The rule with settings of the types that it declares."""
    kinds = {s.name: s.kind for s in settings_of(rule_class)}
    typed = {
        name: float(value) if kinds[name] is float and isinstance(value, int) else value
        for name, value in settings.items()
    }
    return rule_class(**{n: tuple(v) if isinstance(v, list) else v for n, v in typed.items()})
