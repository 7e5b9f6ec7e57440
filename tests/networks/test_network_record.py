import copy
import functools
import importlib
import inspect
import json
import pickle

import jsonargparse
import pytest
import torch
from torch import nn

from gan_lightning import networks


class Wrapper(networks.Network):
    def __init__(self, inner: nn.Module, scale: float = 2.0, **extra: int) -> None:
        super().__init__()
        self.inner, self.scale, self.extra = inner, scale, extra


class Widened(networks.MLPGenerator):
    def __init__(self, latent_dim: int, factor: int = 2) -> None:
        super().__init__((2,), latent_dim, width=8 * factor)


class Renamed(networks.MLPGenerator):
    pass


def rebuild(record):
    module, _, name = record["class_path"].rpartition(".")
    return getattr(importlib.import_module(module), name)(**record["init_args"])


@pytest.mark.parametrize(
    "network",
    [
        *networks.dcgan((3, 16, 16), width=4),
        *networks.mlp((2,), 4, depth=1),
        *networks.resnet((3, 16, 16), width=4),
    ],
    ids=lambda network: type(network).__name__,
)
def test_a_record_rebuilds_the_network(network):
    record = json.loads(json.dumps(network.recorded))
    assert record["class_path"] == f"gan_lightning.networks.{type(network).__name__}"
    again = rebuild(record)
    assert type(again) is type(network)
    assert again.recorded == network.recorded
    again.load_state_dict(network.state_dict())  # strict: the same parameters of the same shapes


def test_defaults_are_recorded_and_tuples_become_lists():
    assert networks.DCGANGenerator((3, 16, 16), width=4).recorded == {
        "class_path": "gan_lightning.networks.DCGANGenerator",
        "init_args": {"image_shape": [3, 16, 16], "latent_dim": 100, "width": 4},
    }


def test_the_outermost_class_is_recorded():
    assert Widened(5).recorded == {
        "class_path": f"{__name__}.Widened",
        "init_args": {"latent_dim": 5, "factor": 2},
    }
    assert Renamed((2,), 5).recorded["class_path"] == f"{__name__}.Renamed"
    assert Renamed((2,), 5).recorded["init_args"]["latent_dim"] == 5


def test_networks_among_the_arguments_are_recorded_with_theirs():
    inner = networks.MLPDiscriminator((2,))
    assert Wrapper(inner, answer=42).recorded["init_args"] == {
        "inner": inner.recorded,
        "scale": 2.0,
        "answer": 42,
    }


def test_what_has_no_plain_form_leaves_an_empty_record():
    assert Wrapper(nn.Linear(1, 1)).recorded == {}
    assert Wrapper(Wrapper(nn.Linear(1, 1))).recorded == {}
    assert Wrapper(networks.MLPDiscriminator((2,)), extra=torch.ones(1)).recorded == {}


def test_classes_and_functions_are_recorded_by_import_path():
    assert Wrapper(nn.ReLU).recorded["init_args"]["inner"] == "torch.nn.modules.activation.ReLU"
    assert Wrapper(torch.hann_window).recorded == {}  # a builtin without a module's path
    assert Wrapper(rebuild).recorded["init_args"]["inner"] == f"{__name__}.rebuild"


def loaded(record):
    """The network of a record, as `gan_lightning.load` builds it from YAML."""
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--network", type=nn.Module)
    config = parser.parse_object({"network": json.loads(json.dumps(record))})
    instantiate = getattr(parser, "instantiate", None) or parser.instantiate_classes
    return instantiate(config).network


MLP = "gan_lightning.networks.MLPDiscriminator"


def test_a_class_and_its_partial_are_recorded_as_factories():
    bare = networks.ConditionalDiscriminator((2,), 3, networks.MLPDiscriminator).recorded
    assert bare["init_args"]["network"] == MLP
    fixed = functools.partial(networks.MLPDiscriminator, width=4)
    record = networks.ConditionalDiscriminator((2,), 3, fixed).recorded
    assert record["init_args"]["network"] == {"class_path": MLP, "init_args": {"width": 4}}


def wrappers():
    mlp_g = functools.partial(networks.MLPGenerator, width=4)
    mlp_d = functools.partial(networks.MLPDiscriminator, width=4)
    return [
        networks.ConditionalGenerator((2,), 4, 3, mlp_g, embedding_dim=2),
        networks.ConditionalGenerator((1, 8, 8), 4, 3, networks.DCGANGenerator),
        networks.ConditionalDiscriminator((2,), 3, mlp_d),
        networks.ConditionalDiscriminator((2,), 3, networks.MLPDiscriminator),
        networks.ProjectionDiscriminator((2,), 3, mlp_d, spectral_norm=True),
        networks.Packed(mlp_d, 2, (2,)),
        networks.Packed(networks.MLPDiscriminator, 3, (2,)),
        networks.Packed(networks.MLPDiscriminator((4,), width=4), 2),
    ]


@pytest.mark.parametrize("network", wrappers(), ids=lambda network: type(network).__name__)
def test_a_network_of_networks_is_built_again_and_again(network):
    again = loaded(network.recorded)
    assert type(again) is type(network)
    again.load_state_dict(network.state_dict())
    # jsonargparse fills in defaults, and hands over partials of its own.
    third = loaded(again.recorded)
    assert third.recorded == again.recorded
    third.load_state_dict(network.state_dict())


def test_partials_that_yaml_could_not_express_leave_an_empty_record():
    packed = functools.partial(networks.Packed, networks.MLPDiscriminator, 2)
    assert networks.ConditionalDiscriminator((2,), 3, packed).recorded == {}
    made = functools.partial(lambda shape, width: networks.MLPDiscriminator(shape, width), width=3)
    assert networks.ConditionalDiscriminator((2,), 3, made).recorded == {}
    of_tensor = functools.partial(networks.MLPDiscriminator, width=torch.tensor(3).item())
    record = networks.ConditionalDiscriminator((2,), 3, of_tensor).recorded
    assert record["init_args"]["network"]["init_args"] == {"width": 3}


def test_records_survive_copies():
    network = networks.MLPDiscriminator((2,))
    assert copy.deepcopy(network).recorded == network.recorded
    assert pickle.loads(pickle.dumps(network)).recorded == network.recorded
    assert "recorded" not in network.state_dict()


def test_positional_rest_arguments_are_refused():
    with pytest.raises(TypeError, match=r"`Star\.__init__` must take named arguments only"):

        class Star(networks.Network):
            def __init__(self, *sizes: int) -> None:
                super().__init__()


def test_wrong_arguments_raise_as_without_the_record():
    with pytest.raises(TypeError, match=r"MLPDiscriminator.__init__\(\) missing 1 required"):
        networks.MLPDiscriminator()


def test_signatures_stay_visible():
    names = list(inspect.signature(networks.DCGANGenerator).parameters)
    assert names == ["image_shape", "latent_dim", "width"]


def test_jsonargparse_sees_the_signature_and_rebuilds_from_a_record():
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(networks.Network, "network")
    record = networks.DCGANDiscriminator((1, 8, 8), width=2).recorded
    network = parser.instantiate(parser.parse_object({"network": record})).network
    assert network.recorded == record
    wrong = {"class_path": "MLPDiscriminator", "init_args": {"image_shape": [2], "widht": 8}}
    with pytest.raises(jsonargparse.ArgumentError, match="Option 'widht' is not accepted"):
        parser.parse_object({"network": wrong})
