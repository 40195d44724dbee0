"""Modules: parts by name, state, files, summary, and errors that name the layer."""

import numpy as np
import pytest

from mlcore import nn


def net(seed=0):
    nn.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 8, activation="relu"), nn.Residual(nn.Linear(8, 8)), nn.Linear(8, 3, bias=False))


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(3, 3)
        self.b = nn.Linear(3, 3)
        self.b.weight = self.a.weight
        self.register_buffer("count", np.zeros((), np.int64))

    def forward(self, x):
        return self.b(self.a(x))


def test_names_are_pytorchs():
    names = [name for name, _ in net().named_parameters()]
    assert names == ["0.weight", "0.bias", "1.module.weight", "1.module.bias", "2.weight"]
    assert list(net().state_dict()) == names


def test_shared_parameters_are_learned_once_and_saved_under_both_names():
    module = Tied()
    assert [name for name, _ in module.named_parameters()] == ["a.weight", "a.bias", "b.bias"]
    assert list(module.state_dict()) == ["count", "a.weight", "a.bias", "b.weight", "b.bias"]
    module(np.ones((2, 3), np.float32)).sum().backward()
    assert module.a.weight.grad is module.b.weight.grad


def test_state_goes_back_and_forth():
    one, other = net(0), net(1)
    x = np.ones((2, 4), np.float32)
    assert not np.array_equal(one(x).data, other(x).data)
    other.load_state_dict(one.state_dict())
    np.testing.assert_array_equal(one(x).data, other(x).data)
    one.state_dict()["0.weight"][:] = 0  # a copy
    np.testing.assert_array_equal(one(x).data, other(x).data)


def test_state_that_does_not_fit_names_what_is_wrong_and_changes_nothing():
    module, before = net(), net().state_dict()
    state = dict(before)
    state["0.weight"] = np.zeros((8, 5), np.float32)
    state["9.weight"] = state.pop("2.weight")
    with pytest.raises(ValueError, match=r"0\.weight has shape \(8, 5\), the network \(8, 4\)") as caught:
        module.load_state_dict(state)
    assert "missing: 2.weight" in str(caught.value)
    assert "unexpected: 9.weight" in str(caught.value)
    for name, values in module.state_dict().items():
        np.testing.assert_array_equal(values, before[name])
    with pytest.raises(ValueError, match="dtype complex"):
        module.load_state_dict({"0.weight": np.zeros((8, 4), complex)}, strict=False)
    module.load_state_dict({"0.bias": np.zeros(8)}, strict=False)
    assert not module[0].bias.data.any()


def test_files(tmp_path):
    from safetensors.numpy import load_file

    one, other, path = net(0), net(1), tmp_path / "net.safetensors"
    nn.save_weights(one, path)
    assert sorted(load_file(path)) == sorted(one.state_dict())
    nn.load_weights(other, path)
    for name, values in one.state_dict().items():
        np.testing.assert_array_equal(values, other.state_dict()[name])
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ValueError, match="damaged"):
        nn.load_weights(other, path)
    with pytest.raises(OSError, match="nowhere"):
        nn.load_weights(other, tmp_path / "nowhere")


def test_interrupted_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "net.safetensors"
    nn.save_weights(net(), path)
    before = path.read_bytes()

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("mlcore.nn.layers._serialization.write_tensors", interrupted)
    with pytest.raises(KeyboardInterrupt):
        nn.save_weights(net(1), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_modes_and_freezing():
    module = net()
    assert all(not m.training for m in module.eval().modules())
    assert all(m.training for m in module.train().modules())
    module.requires_grad_(False)
    assert not module(np.ones((1, 4), np.float32)).requires_grad


def test_summary():
    text = nn.summary(net(), np.zeros((5, 4), np.float32))
    assert "1.module  Linear      (5, 8)" in text
    assert text.endswith("136 parameters, 136 of them trained")
    assert "(5, 8)" not in nn.summary(net())
    assert not net()._forward_hooks


def test_shape_errors_name_the_layer_and_both_shapes():
    with pytest.raises(nn.ShapeError, match=r"0\.Linear\(in_features=4.*\(2, 5\).*\(8, 4\)"):
        net()(np.zeros((2, 5), np.float32))
    with pytest.raises(nn.ShapeError, match=r"0\.Residual.*\(2, 4\) into \(2, 3\)"):
        nn.Sequential(nn.Residual(nn.Linear(4, 3)))(np.zeros((2, 4), np.float32))
    with pytest.raises(TypeError, match="float64"):
        net()(np.zeros((2, 4)))


def test_mistakes_in_a_module():
    class Late(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(1, 1)

    with pytest.raises(AttributeError, match="super"):
        Late()
    with pytest.raises(NotImplementedError, match="forward"):
        nn.Module()(1)
    with pytest.raises(AttributeError, match="no attribute 'weigth'"):
        _ = nn.Linear(2, 2).weigth
    with pytest.raises(TypeError, match="takes modules"):
        nn.Sequential(3)


def test_same_seed_same_weights():
    for (name, a), b in zip(net(5).state_dict().items(), net(5).state_dict().values(), strict=True):
        np.testing.assert_array_equal(a, b, err_msg=name)


def test_repr():
    assert repr(nn.Linear(2, 3)) == "Linear(in_features=2, out_features=3, bias=True)"
    assert "(1): Residual(\n    (module)" in repr(net())


def test_what_is_used_twice_is_named_twice_and_learned_once():
    layer, table = nn.Linear(2, 2), nn.Embedding(3, 2)
    net = nn.Sequential(layer, nn.Sequential(layer, table), table)
    names = ["0.weight", "0.bias", "1.0.weight", "1.0.bias", "1.1.weight", "2.weight"]
    assert list(net.state_dict()) == names
    assert [name for name, _ in net.named_parameters()] == ["0.weight", "0.bias", "1.1.weight"]
    assert [type(module).__name__ for module in net] == ["Linear", "Sequential", "Embedding"]
    assert len(list(net.modules())) == 4
    state = {name: np.full_like(value, i) for i, (name, value) in enumerate(net.state_dict().items())}
    net.load_state_dict(state)
    assert layer.weight.data[0, 0] == 2  # the last one that names it
    again = nn.Sequential(layer, layer)
    assert (len(again), again[1] is layer, list(again) == [layer, layer]) == (2, True, True)
    with pytest.raises(ValueError, match=r"missing: 1\.bias, 1\.weight"):
        again.load_state_dict({"0.weight": layer.weight, "0.bias": layer.bias})


def test_names_that_do_not_meet_are_reported():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    before = net.state_dict()
    given = {"0.weight": np.ones((2, 2), np.float32), "9.weight": np.ones(1, np.float32), "1.bias": np.ones(1)}
    found = net.load_state_dict(given, strict=False)
    assert found.missing_keys == ["0.bias", "1.weight"]
    assert found.unexpected_keys == ["9.weight"]
    np.testing.assert_array_equal(net[0].weight.data, 1)
    np.testing.assert_array_equal(net[1].weight.data, before["1.weight"])
    assert net.load_state_dict(net.state_dict()) == ([], [])
    with pytest.raises(ValueError, match=r"0\.weight has shape \(3, 2\)"):
        net.load_state_dict({"0.weight": np.ones((3, 2), np.float32)}, strict=False)


def test_states_from_before_batches_were_counted():
    for layer in (nn.BatchNorm1d(2), nn.BatchNorm2d(2), nn.InstanceNorm1d(2, track_running_stats=True)):
        state = {k: v + 1 for k, v in layer.state_dict().items() if k != "num_batches_tracked"}
        assert layer.load_state_dict(state) == ([], [])
        np.testing.assert_array_equal(layer.running_mean, 1)
        assert layer.num_batches_tracked == 0
        with pytest.raises(ValueError, match="missing: running_mean"):
            layer.load_state_dict({k: v for k, v in state.items() if k != "running_mean"})


def test_weight_files_report_names_too(tmp_path):
    nn.save_weights(nn.Linear(2, 2), tmp_path / "w.safetensors")
    net = nn.Linear(2, 2, bias=False)
    assert nn.load_weights(net, tmp_path / "w.safetensors", strict=False).unexpected_keys == ["bias"]
