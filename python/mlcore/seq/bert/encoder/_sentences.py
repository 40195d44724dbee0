"""What a folder of sentence-transformers says of the way from a text to its vector: reading and writing it."""

import json
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from mlcore._files import replacing

POOLINGS = ("mean", "cls", "max")

_MODES = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
}


class SentenceOptions(NamedTuple):
    """How a folder makes vectors of texts."""

    folder: Path
    """Where the network and the tokenizer are: the folder itself, or one in it."""
    pooling: str = "mean"
    """One of `POOLINGS`, or the name of another."""
    normalize: bool = False
    max_length: int | None = None
    """Tokens of a text at most, markers included; None: as many as the network has positions."""
    lowercase: bool = False
    """Whether texts are turned into lower case, whatever the tokenizer does."""
    others: tuple[str, ...] = ()
    """Further steps."""


def read_options(folder: Path) -> SentenceOptions:
    """Read ``modules.json`` of a folder, and what it refers to; without it, vectors are means of those of the tokens.

    Raises
    ------
    ValueError
        If a file is damaged.
    """
    options = SentenceOptions(folder)
    if not (folder / "modules.json").exists():
        return options
    modules = _read(folder / "modules.json", list)
    others = _prompt(_read(folder / "config_sentence_transformers.json", dict, {}))
    for module in modules:
        kind, place = str(module.get("type", "")).rpartition(".")[2], _inside(folder, module.get("path", ""))
        if kind == "Transformer":
            found = _read(place / "sentence_bert_config.json", dict, {})
            options = options._replace(
                folder=place,
                max_length=_length(found.get("max_seq_length"), place),
                lowercase=found.get("do_lower_case") is True,
            )
        elif kind == "Pooling":
            options = options._replace(pooling=_pooling(_read(place / "config.json", dict)))
        elif kind == "Normalize":
            options = options._replace(normalize=True)
        else:
            others.append(kind)
    return options._replace(others=tuple(others))


def write_options(options: SentenceOptions, width: int) -> None:
    """Write ``modules.json``, and what it refers to, for vectors of `width` features."""
    modules = {"Transformer": "", "Pooling": "1_Pooling"} | ({"Normalize": "2_Normalize"} if options.normalize else {})
    entries = [
        {"idx": i, "name": str(i), "path": place, "type": f"sentence_transformers.models.{kind}"}
        for i, (kind, place) in enumerate(modules.items())
    ]
    files = {
        "modules.json": entries,
        "sentence_bert_config.json": {"max_seq_length": options.max_length, "do_lower_case": options.lowercase},
        "1_Pooling/config.json": {
            "word_embedding_dimension": width,
            **{name: pooling == options.pooling for name, pooling in _MODES.items()},
        },
    }
    for place in filter(None, modules.values()):  # sentence-transformers wants one for each module
        (options.folder / place).mkdir(exist_ok=True)
    with replacing(*(options.folder / name for name in files)) as opened:
        for file, content in zip(opened, files.values(), strict=True):
            file.write((json.dumps(content, indent=2) + "\n").encode())


def _prompt(config: dict[str, Any]) -> list[str]:
    """Return that texts begin with a prompt, as a step, if they do."""
    prompts, name = config.get("prompts"), config.get("default_prompt_name")
    prompt = prompts.get(name) if isinstance(prompts, dict) and isinstance(name, str) else None
    return [f"the prompt {prompt!r:.40} before texts"] if prompt else []


def _pooling(config: dict[str, Any]) -> str:
    """Return the way, or the ways, that vectors of tokens become one."""
    if isinstance(config.get("pooling_mode"), str):
        return str(config["pooling_mode"])
    names = [name for name, value in config.items() if name.startswith("pooling_mode_") and value]
    return " and ".join(_MODES.get(name, name.removeprefix("pooling_mode_")) for name in names) or "mean"


def _length(value: Any, place: Path) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(
            f"max_seq_length of {place / 'sentence_bert_config.json'} must be an int >= 1, got {value!r:.80}"
        )
    return value


def _inside(folder: Path, path: Any) -> Path:
    """Return a folder that `modules.json` names, which lies in the one that it is in."""
    if not isinstance(path, str) or PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        raise ValueError(f"a path of {folder / 'modules.json'} must be a folder within {folder}, got {path!r:.80}")
    return folder / path


def _read(path: Path, kind: type, default: Any = None) -> Any:
    """Return a file of JSON that holds a dict, or a list of them; `default` where there is none."""
    if default is not None and not path.exists():
        return default
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise FileNotFoundError(f"modules.json refers to {path}, which is not there") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    items: list[Any] = found if isinstance(found, list) else [found]
    if not isinstance(found, kind) or not all(isinstance(item, dict) for item in items):
        raise ValueError(f"{path} must hold {'a list of dicts' if kind is list else 'a dict'}")
    return found
