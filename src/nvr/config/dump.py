"""Write a configuration as YAML: complete for a child process, or with its secrets masked for people; pure."""

from collections.abc import Callable
from pathlib import PurePath

import yaml
from pydantic import BaseModel, SecretStr

from nvr.config.placeholders import escape
from nvr.config.site import NvrConfig
from nvr.core.masking import MASK, mask_credentials


def dump_site(site: NvrConfig) -> str:
    """Return YAML that loads to an equal configuration. Secrets stand in it as they are: for files with mode 0600."""
    return _dump(plain(site, escape, lambda secret: escape(secret.get_secret_value())))


def masked_yaml(site: NvrConfig) -> str:
    """Return what was set as YAML for people: passwords and keys, also those within addresses, are `***`."""
    return _dump(plain(site, mask_credentials, lambda _: MASK))


def plain(value: object, text: Callable[[str], str], secret: Callable[[SecretStr], str]) -> object:
    """Return a setting as dicts, lists and values; of a model only what was set.

    Args:
        value: A model, or the value of a setting.
        text: Makes of a text what is shown of it.
        secret: Makes of a secret what is shown of it.
    """
    match value:
        case BaseModel():
            fields = [name for name in type(value).model_fields if name in value.model_fields_set]
            return {name: plain(getattr(value, name), text, secret) for name in fields}
        case SecretStr():
            return secret(value)
        case dict():
            return {key: plain(each, text, secret) for key, each in value.items()}
        case list() | tuple():
            return [plain(each, text, secret) for each in value]
        case str() | PurePath():
            return text(str(value))
        case _:
            return value


class _Dumper(yaml.SafeDumper):
    """Quotes every text, so that none is read as a number or a word of YAML."""

    def ignore_aliases(self, data: object) -> bool:
        """Write everything out: a reader sees each camera as a whole."""
        del data
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')


def _represent_mapping(dumper: yaml.SafeDumper, mapping: dict[str | int, object]) -> yaml.Node:
    pairs = [
        (yaml.ScalarNode("tag:yaml.org,2002:str", str(key)), dumper.represent_data(value))
        for key, value in mapping.items()
    ]
    return yaml.MappingNode("tag:yaml.org,2002:map", pairs, flow_style=False)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(dict, _represent_mapping)


def _dump(content: object) -> str:
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=2**31) if content else ""
