from pathlib import Path

import pytest

from nvr.app.ports import PortClaims
from nvr.app.site.installation import Installation, UpOptions
from nvr.app.supervision.supervisor import Supervisor
from nvr.config.file import parse_config
from nvr.core.errors import ConfigurationError


def test_a_certificate_that_is_not_there_is_told_before_anything_is_different(tmp_path: Path) -> None:
    supervisor = Supervisor(lambda *_: None)
    options = UpOptions(state_folder=tmp_path, runtime_folder=tmp_path, n_cores=1)
    installation = Installation(options, tmp_path, supervisor, PortClaims())
    config = parse_config("broker: {host: 127.0.0.1, tls: true, ca_file: /absent/ca.pem}\n", "nvr.yaml")
    with pytest.raises(ConfigurationError, match=r"/absent/ca\.pem"):
        installation.prepare(config, {})
    assert list(tmp_path.iterdir()) == []
    supervisor.close()
