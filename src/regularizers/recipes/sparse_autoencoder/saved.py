"""The scaling and the names beside the networks of a run, and how a network is read with them."""

from __future__ import annotations

from safetensors import SafetensorError

from regularizers.errors import DataError, RunFolderError
from regularizers.recipes._loaded import Loaded
from regularizers.recipes._network_file import check_held, read_network, write_network
from regularizers.recipes._run import settings_of
from regularizers.recipes._run_folder import RunFolder
from regularizers.recipes._scaling import Scaling
from regularizers.recipes.sparse_autoencoder._config import Config
from regularizers.recipes.sparse_autoencoder._data import Data
from regularizers.recipes.sparse_autoencoder._networks import load as load_network
from regularizers.recipes.sparse_autoencoder._scaled import ScaledAutoencoder

FILE = "scaling.safetensors"


def save_scaling(data: Data, run: RunFolder) -> None:
    """Save the scaling of a run, which stands before each of its networks, and what data it reads.

    Args:
        data: the data of the run.
        run: the folder of the run.
    """
    metadata = {
        "recipe": "sparse-autoencoder",
        "data": data.name,
        "schema": None if data.schema is None else data.schema.to_json(),
        "site": data.site,
        "dropped": data.dropped,
    }
    assert data.scaling is not None
    write_network(run.path / FILE, data.scaling.state_dict(), metadata)


def load(run: RunFolder, network: str | None) -> Loaded:
    """Return a network of a run.

    Args:
        run: the folder of the run.
        network: its architecture, or `l1` or `kl`; by default the one the run is about.

    Returns:
        A `ScaledAutoencoder`, whose `encode`, `decode` and `forward` take samples as they are in
        the file of the data, of shape (samples, features); and `metadata` with `network` (its
        name), `data`, `schema` (None for stored activations), `site`, and `dropped`, the columns
        that were constant in training.

    Raises:
        RunFolderError: the network is missing or damaged, or the run is of an earlier version.
    """
    config = settings_of("sparse-autoencoder", run, Config)
    kind = config.architecture if network is None else network
    there = [name for name in config.kinds if (run.path / name).is_dir()]
    check_held(run.path, kind, there)
    state, metadata = read_network(run.path / FILE, "schema")
    try:
        scaling = Scaling.from_state(state)
        read = load_network(kind, len(scaling.kept), config, run.path / kind)
    except (DataError, RuntimeError, LookupError, SafetensorError, OSError) as error:
        raise RunFolderError(
            f"{run.path / kind}: expected the network of this run, got files that are damaged "
            f"({' '.join(str(error).split())}); copy them again, or train it again"
        ) from None
    return Loaded(ScaledAutoencoder(scaling, read).eval(), {"network": kind, **metadata})
