# SPDX-License-Identifier: MIT
"""`trace` tells every lookup of a walk."""

import pickle
import struct
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import s2geom as s2
from s2geom import Descriptor, Fault, Geometry, Memory, TableBuilder, Trace, TraceStep
from s2geom.strategies import ipas, table_images

K4 = Geometry(12, 40, 1)
BASE = 0x8000_0000


def test_each_lookup_is_a_step() -> None:
    """The last page of the space: the second root table, then two tables below."""
    tables = TableBuilder(K4, BASE)
    tables.map(2**40 - 4096, 0x1234_5000, 4096)
    traced = s2.trace(K4, BASE, 2**40 - 1, Memory(tables.images()).read)
    leaf = Descriptor.leaf(K4, 3, 0x1234_5000)

    # The PGD has two tables; level 3 took the first page after it, and level 2 another.
    assert [
        (1, BASE + 0x1000, 511, BASE + 0x1FF8),
        (2, BASE + 0x3000, 511, BASE + 0x3FF8),
        (3, BASE + 0x2000, 511, BASE + 0x2FF8),
    ] == [(step.level, step.table, step.index, step.address) for step in traced.steps]
    assert [BASE + 0x3000, BASE + 0x2000, 0x1234_5000] == [
        step.descriptor and step.descriptor.output_address for step in traced.steps
    ]
    assert s2.Translation(0x1234_5FFF, 3, leaf) == traced.result


def test_a_failed_walk_has_the_steps_up_to_its_fault() -> None:
    """Nothing mapped, memory that ends, and an IPA outside the space."""
    empty = Memory({BASE: bytes(0x2000)})
    hole = s2.trace(K4, BASE, 1 << 30, empty.read)
    nowhere = s2.trace(K4, BASE, 0, Memory({}).read)
    outside = s2.trace(K4, BASE, 1 << 40, empty.read)

    zero = Descriptor(0, 1, K4.granule)
    assert (TraceStep(1, BASE, 1, BASE + 8, zero),) == hole.steps
    assert Fault("translation", 1, 1 << 30) == hole.result
    assert (TraceStep(1, BASE, 0, BASE, None),) == nowhere.steps
    assert Fault("external abort", 1, 0) == nowhere.result
    assert Trace((), Fault("translation", 0, 1 << 40)) == outside


@given(data=st.data())
def test_trace_has_the_result_of_walk(data: st.DataObject) -> None:
    """The last step has its descriptor, and each table is the one linked."""
    image = data.draw(table_images())
    ipa = data.draw(ipas(image.geometry))
    read = image.memory.read
    traced = s2.trace(image.geometry, image.root, ipa, read, fwb=True)
    steps, result = traced.steps, traced.result

    assert s2.walk(image.geometry, image.root, ipa, read) == result
    assert [image.geometry.start_level + at for at in range(len(steps))] == [
        step.level for step in steps
    ]
    assert result.descriptor == steps[-1].descriptor
    for above, below in pairwise(steps):
        assert above.descriptor is not None
        assert above.descriptor.output_address == below.table
    for step in steps:
        assert step.table + 8 * step.index == step.address
        [word] = struct.unpack("<Q", read(step.address, 8))
        assert step.descriptor is not None
        assert word == step.descriptor.word
    assert traced.fwb is result.fwb is True


def test_traces_are_values() -> None:
    """They are equal, hashable and picklable; FWB is not compared."""
    empty = Memory({BASE: bytes(0x2000)})
    traced = s2.trace(K4, BASE, 0, empty.read, fwb=False)

    assert {traced} == {pickle.loads(pickle.dumps(traced))}  # noqa: S301
    assert s2.trace(K4, BASE, 0, empty.read) == traced
    assert "fwb" not in repr(traced)
    assert pickle.loads(pickle.dumps(traced)).fwb is False  # noqa: S301


@pytest.mark.parametrize("call", [s2.walk, s2.trace])
def test_memory_instead_of_its_read_is_refused(call: Any) -> None:
    """The message has the right call for the kind of memory that was given."""
    chunks = {BASE: bytes(0x2000)}
    hints = [
        (Memory(chunks), "; pass its method, memory.read"),
        (chunks, "; pass Memory(chunks).read"),
        (bytes(8), "; pass Memory({address: data}).read, with the address of its"),
        (bytearray(8), "; pass Memory({address: data}).read, with the address of its"),
        (None, "got None"),
    ]
    for memory, hint in hints:
        with pytest.raises(TypeError, match="read must be callable, got ") as wrong:
            call(K4, BASE, 0, memory)

        assert hint in str(wrong.value)
    with pytest.raises(TypeError, match="pass its method"):
        s2.scan(K4, BASE, Memory(chunks))  # type: ignore[call-overload]
