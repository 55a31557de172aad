# SPDX-License-Identifier: Apache-2.0
"""Configuration of a mesh: ranges, TOML, digest, formats."""

import pytest

from neurotile.spec import MESH_PRESETS, TEST_MESH_PRESETS, TEST_PRESETS, MeshConfig, UserError
from neurotile.spec.mesh_config import mesh_memories, mesh_request_word, packet_word

MESHES = {**MESH_PRESETS, **TEST_MESH_PRESETS}
SMALL = TEST_MESH_PRESETS["test_mesh_1x3"]


@pytest.mark.parametrize("name", MESHES)
def test_toml_gives_the_same_mesh(name, tmp_path):
    path = tmp_path / "mesh.toml"
    path.write_text(MESHES[name].to_toml())
    assert MeshConfig.from_toml(path) == MESHES[name]


def test_names_do_not_count_in_the_digest():
    assert SMALL.digest == SMALL.replace(name="x", tile=SMALL.tile.replace(name="y")).digest
    assert SMALL.digest != SMALL.replace(tile=SMALL.tile.replace(queue_depth=8)).digest
    assert SMALL.digest != SMALL.replace(router_depth=8).digest


@pytest.mark.parametrize(("change", "message"), [
    ({"rows": 17}, "rows must be an integer in 1..16, not 17"),
    ({"routing": "flood"}, "routing must be 'unicast' or 'multicast', not 'flood'"),
    ({"link_parity": 1}, "link_parity must be true or false, not 1"),
    ({"tile": "small"}, "tile must be a table with every key of a tile, not 'small'"),
    ({"tile": TEST_PRESETS["test_all"].replace(synapse_words=1 << 18)},
     "memory synapse of a tile has 1048576 words; on a mesh 262144 are the most"),
])
def test_wrong_values_are_refused(change, message):
    with pytest.raises(UserError, match=message.replace("(", r"\(")):
        SMALL.replace(**change)


def test_a_mesh_has_no_tiles_in_event_mode(tmp_path):
    path = tmp_path / "mesh.toml"
    path.write_text(SMALL.to_toml().replace("[tile]\n", "[tile]\nmode = \"event\"\n"))
    with pytest.raises(UserError, match="a mesh has no tiles in event mode"):
        MeshConfig.from_toml(path)


def test_packets_carry_what_the_options_need():
    names = {name: [field.name for field in packet_word(mesh).fields]
             for name, mesh in MESHES.items()}
    assert names["test_mesh_1x3"] == ["target", "value", "host", "delay"]
    assert names["test_mesh_4x4"] == ["target", "value", "host"]
    assert mesh_request_word().width == 64
    for mesh in MESHES.values():
        found = {memory.name for memory in mesh_memories(mesh)}
        assert {"fanout", "route"} <= found
        assert ("tree" in found) == mesh.multicast
