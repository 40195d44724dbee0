"""The rules by which parameters are moved; the arithmetic is in the core.

Left out on purpose: dampening.
"""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Unpack

import numpy as np

from mlcore.nn.optim._optimizer import Optimizer, SettingsOfSome, State, StepOptions
from mlcore.nn.tensor import Array


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum (Polyak, 1964) or Nesterov's momentum (Sutskever et al., 2013).

    Parameters
    ----------
    lr : float, default=1e-3
        r in ``v = m v + g; p -= r v``.
    momentum : float, default=0.0
        m.
    weight_decay : float, default=0.0
        w in ``g += w p``.
    nesterov : bool, default=False
        ``p -= r (g + m v)`` instead.
    params, max_norm, clip_value, maximize
        See :class:`Optimizer`.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0.0,
        *,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        **options: Unpack[StepOptions],
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "nesterov": nesterov}
        super().__init__(params, defaults, **options)

    def _check(self, group: Mapping[str, Any]) -> None:
        super()._check(group)
        if group["nesterov"] and group["momentum"] == 0:
            raise ValueError("nesterov of SGD needs a momentum > 0")

    def _rule(self, group: Mapping[str, Any]) -> dict[str, Any]:
        rule = "sgd" if group["momentum"] == 0 else "nesterov" if group["nesterov"] else "momentum"
        return {"rule": rule, "momentum": float(group["momentum"])}

    def _state_names(self, group: Mapping[str, Any]) -> tuple[str | None, str | None, str | None]:
        return (None if group["momentum"] == 0 else "momentum_buffer"), None, None


class Adagrad(Optimizer):
    """Steps divided by the root of the sum of all squared gradients (Duchi, Hazan and Singer, 2011).

    Parameters
    ----------
    lr : float, default=1e-2
        r in ``s += g^2; p -= r g / (sqrt(s) + e)``.
    lr_decay : float, default=0.0
        The rate of step t is ``r / (1 + (t - 1) lr_decay)``.
    weight_decay : float, default=0.0
        w in ``g += w p``.
    initial_accumulator_value : float, default=0.0
        s at the start.
    eps : float, default=1e-10
        e.
    params, max_norm, clip_value, maximize
        See :class:`Optimizer`.
    """

    _SQUARES = "sum"

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        **options: Unpack[StepOptions],
    ) -> None:
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "eps": eps,
        }
        super().__init__(params, defaults, **options)

    def _start(self, group: Mapping[str, Any], name: str, shape: tuple[int, ...]) -> Array:  # noqa: ARG002
        return np.full(shape, group["initial_accumulator_value"], np.float32)

    def _rule(self, group: Mapping[str, Any]) -> dict[str, Any]:
        return {"rule": "adagrad", "epsilon": float(group["eps"])}

    def _by_step(self, group: Mapping[str, Any], steps: list[int], states: list[State]) -> SettingsOfSome:  # noqa: ARG002
        parts = []
        for step in sorted(set(steps)):
            rate = group["lr"] / (1 + (step - 1) * group["lr_decay"])
            chosen = [i for i, other in enumerate(steps) if other == step]
            parts.append(({"learning_rate": float(rate), **self._rule(group)}, chosen))
        return parts


class RMSprop(Optimizer):
    """Steps divided by the root of a moving mean of squared gradients (Tieleman and Hinton, 2012).

    Parameters
    ----------
    lr : float, default=1e-2
        r in ``s = h s + (1 - h) g^2; p -= r g / (sqrt(s) + e)``.
    alpha : float, default=0.99
        h.
    eps : float, default=1e-8
        e.
    weight_decay : float, default=0.0
        w in ``g += w p``.
    momentum : float, default=0.0
        m; if > 0, ``v = m v + g / (sqrt(s) + e); p -= r v`` instead.
    centered : bool, default=False
        Whether s is made a variance in the root (Graves, 2013): ``x = h x + (1 - h) g`` and ``s - x^2`` in its place.
    params, max_norm, clip_value, maximize
        See :class:`Optimizer`.
    """

    _SQUARES = "square_avg"

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        **options: Unpack[StepOptions],
    ) -> None:
        defaults = {
            "lr": lr,
            "alpha": alpha,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "centered": bool(centered),
        }
        super().__init__(params, defaults, **options)

    def _rule(self, group: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "rule": "rmsprop",
            "rho": float(group["alpha"]),
            "epsilon": float(group["eps"]),
            "damping": float(group["momentum"]),
            "centred": bool(group["centered"]),
        }

    def _state_names(self, group: Mapping[str, Any]) -> tuple[str | None, str | None, str | None]:
        velocity = "momentum_buffer" if group["momentum"] > 0 else None
        return velocity, self._SQUARES, "grad_avg" if group["centered"] else None


class Adam(Optimizer):
    """Moving means of the gradient and of its square, both corrected for their start (Kingma and Ba, 2015).

    Parameters
    ----------
    lr : float, default=1e-3
        r in ``v = b1 v + (1 - b1) g; s = b2 s + (1 - b2) g^2; p -= r v / (1 - b1^t) / (sqrt(s / (1 - b2^t)) + e)``.
    betas : tuple of two floats, default=(0.9, 0.999)
        b1, b2.
    eps : float, default=1e-8
        e.
    weight_decay : float, default=0.0
        w in ``g += w p``.
    amsgrad : bool, default=False
        Whether the largest s so far replaces it (Reddi, Kale and Kumar, 2018).
    params, max_norm, clip_value, maximize
        See :class:`Optimizer`.
    """

    _VELOCITY, _SQUARES = "exp_avg", "exp_avg_sq"
    _RULE: ClassVar[str] = "adam"

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        **options: Unpack[StepOptions],
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": tuple(betas),
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": bool(amsgrad),
        }
        super().__init__(params, defaults, **options)

    def _rule(self, group: Mapping[str, Any]) -> dict[str, Any]:
        return {"rule": self._RULE, **_moments(group), "amsgrad": bool(group["amsgrad"])}

    def _state_names(self, group: Mapping[str, Any]) -> tuple[str | None, str | None, str | None]:
        return self._VELOCITY, self._SQUARES, "max_exp_avg_sq" if group["amsgrad"] else None


class AdamW(Adam):
    """Adam with weight decay apart from the gradient: ``p -= r w p`` before its step (Loshchilov and Hutter, 2019).

    Parameters
    ----------
    lr, betas, eps : default=1e-3, (0.9, 0.999), 1e-8
        See :class:`Adam`.
    weight_decay : float, default=0.01
        w.
    amsgrad : bool, default=False
        See :class:`Adam`.
    params, max_norm, clip_value, maximize
        See :class:`Optimizer`.
    """

    _RULE = "adamw"

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
        amsgrad: bool = False,
        **options: Unpack[StepOptions],
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, **options)


class NAdam(Optimizer):
    """Adam with Nesterov's momentum (Dozat, 2016).

    Parameters
    ----------
    lr : float, default=2e-3
        r in ``p -= r (c1 g + c2 v) / (sqrt(s / (1 - b2^t)) + e)``, with v and s of :class:`Adam`. With
        ``m_t = b1 (1 - 0.96^(t d) / 2)`` and M_t the product of all up to t, ``c1 = (1 - m_t) / (1 - M_t)`` and
        ``c2 = m_(t+1) / (1 - M_(t+1))``.
    betas : tuple of two floats, default=(0.9, 0.999)
        b1, b2.
    eps : float, default=1e-8
        e.
    weight_decay : float, default=0.0
        w in ``g += w p``.
    momentum_decay : float, default=4e-3
        d.
    decoupled_weight_decay : bool, default=False
        Whether weight decay is that of :class:`AdamW`: ``p -= r w p``.
    params, max_norm, clip_value, maximize
        See :class:`Optimizer`.
    """

    _VELOCITY, _SQUARES = "exp_avg", "exp_avg_sq"

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        **options: Unpack[StepOptions],
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": tuple(betas),
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": bool(decoupled_weight_decay),
        }
        super().__init__(params, defaults, **options)

    def _rule(self, group: Mapping[str, Any]) -> dict[str, Any]:
        return {"rule": "nadam", **_moments(group), "is_decoupled": bool(group["decoupled_weight_decay"])}

    def _by_step(self, group: Mapping[str, Any], steps: list[int], states: list[State]) -> SettingsOfSome:
        beta1, decay = float(group["betas"][0]), float(group["momentum_decay"])
        alike: dict[tuple[int, float], list[int]] = {}
        for i, (step, state) in enumerate(zip(steps, states, strict=True)):
            state["mu_product"] = state.get("mu_product", 1.0) * beta1 * (1 - 0.5 * 0.96 ** (step * decay))
            alike.setdefault((step, state["mu_product"]), []).append(i)
        parts = []
        for (step, product), chosen in alike.items():
            now, after = (beta1 * (1 - 0.5 * 0.96 ** (t * decay)) for t in (step, step + 1))
            settings = {
                "learning_rate": float(group["lr"]),
                "share_of_gradient": (1 - now) / (1 - product),
                "share_of_velocity": after / (1 - product * after),
                **self._rule(group),
            }
            parts.append((settings, chosen))
        return parts


def _moments(group: Mapping[str, Any]) -> dict[str, float]:
    """Return the settings of the moving means of gradients and of their squares."""
    beta1, beta2 = group["betas"]
    return {"beta1": float(beta1), "beta2": float(beta2), "epsilon": float(group["eps"])}
