"""How fast each part of a network is fine-tuned: what is frozen, and smaller steps the nearer to the input.

Lower layers know more of language at large and less of the task (Howard and Ruder, "Universal language model
fine-tuning for text classification", ACL 2018); here each layer has `layer_decay` times the rate of the one above it
(Clark et al., "ELECTRA", ICLR 2020).
"""

from typing import Any

from mlcore.nn.layers._module import Module


def depth_of(name: str, n_layers: int) -> int:
    """Return how high a parameter of this path lies: 0 embeddings, i + 1 layer i, n_layers + 1 what stands above."""
    parts = name.removeprefix("bert.").split(".")
    if parts[0] == "embeddings":
        return 0
    return int(parts[2]) + 1 if parts[:2] == ["encoder", "layer"] else n_layers + 1


def frozen_depth(freeze: int | str, n_layers: int, owner: str) -> int:
    """Return up to which depth weights are frozen, -1 for none.

    Raises
    ------
    ValueError
        If more layers are to be frozen than there are.
    """
    if freeze == "embeddings":
        return 0
    if freeze == "all":
        return n_layers
    if int(freeze) > n_layers:
        raise ValueError(f"freeze={freeze} of {owner} must be at most the number of layers, {n_layers}")
    return int(freeze) or -1


def freeze_up_to(network: Module, depth: int, n_layers: int) -> list[Module]:
    """Freeze the parameters up to a depth and release all others; return the largest modules that are frozen."""
    for name, parameter in network.named_parameters():
        parameter.requires_grad = depth_of(name, n_layers) > depth

    def frozen(module: Module) -> list[Module]:
        own = [parameter.requires_grad for parameter in module.parameters()]
        if own and not any(own):
            return [module]
        return [found for child in module.children() for found in frozen(child)]

    return frozen(network)


def parameter_groups(
    network: Module, n_layers: int, *, learning_rate: float, layer_decay: float, weight_decay: float
) -> list[dict[str, Any]]:
    """Return the parameters that are not frozen, as groups of an optimizer: by depth, and by whether weights decay.

    Depth k of n_layers + 1 has the rate ``learning_rate * layer_decay ** (n_layers + 1 - k)``. Weights of norms and
    biases do not decay. The first group is that of the head, whose rate the history records.
    """
    groups: dict[tuple[int, bool], list[Any]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            depth = depth_of(name, n_layers) if layer_decay != 1 else n_layers + 1
            groups.setdefault((depth, parameter.ndim >= 2), []).append(parameter)
    return [
        {
            "params": groups[depth, decays],
            "lr": learning_rate * layer_decay ** (n_layers + 1 - depth),
            "weight_decay": weight_decay if decays else 0.0,
        }
        for depth, decays in sorted(groups, reverse=True)
    ]
