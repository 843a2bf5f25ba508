# SPDX-License-Identifier: MIT
"""Print the stage-2 tables of every guest in a KVM/arm64 host's memory dump.

    python3 kvm_vms.py VMCORE VMLINUX               every mapping of every guest
    python3 kvm_vms.py VMCORE VMLINUX --summary     one line a guest
    python3 kvm_vms.py VMCORE VMLINUX --memslots    and each page against the VMM's own

VMLINUX is the kernel with debug information (Debian: the -dbg package). No register is
needed: VTCR, root and VMID are in the kernel's structures. The stage 2 of nested guests
is printed too, and under protected KVM that of the guests and of the host itself.

Needs drgn and s2geom: pip install drgn s2geom
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import drgn
from attrs import field, frozen
from drgn.helpers.linux.list import list_for_each_entry
from drgn.helpers.linux.mm import follow_phys
from drgn.helpers.linux.rbtree import rbtree_inorder_for_each_entry
from drgn.helpers.linux.xarray import xa_for_each

import s2geom as s2
from s2geom import readers

HCR_FWB = 1 << 46
MAX_PVMS = 255
RESERVED_PVM = 0xA110CA7ED
"""Linux arch/arm64/kvm/hyp/nvhe/pkvm.c: KVM_MAX_PVMS and RESERVED_ENTRY."""
ADDRESSES = (1 << 64) - 1


@frozen
class Tables:
    """The stage 2 of one guest.

    Args:
        title: Whose it is.
        vtcr: VTCR_EL2.
        root: Physical address of the root; 0 if there is none.
        vmid: VMID, or None if it has none of its own.
        fwb: HCR_EL2.FWB, or None if no vCPU tells.
        kvm: The host's struct kvm whose memory slots these map, or None.
        unreadable: Tables that the dump lacks, as (IPA, bytes that they would map).
    """

    title: str
    vtcr: s2.VTCR_EL2
    root: int
    vmid: int | None
    fwb: bool | None
    kvm: Any = None
    unreadable: list[tuple[int, int]] = field(factory=list, init=False)

    def mappings(self, read: Any) -> Iterator[s2.Mapping]:
        """Yield what is mapped; tables that the dump lacks are noted and skipped."""
        return s2.scan(
            self.vtcr.geometry(),
            self.root,
            read,
            vtcr=self.vtcr,
            fwb=self.fwb,
            unreadable=lambda ipa, size, _: self.unreadable.append((ipa, size)),
        )


# The kernel's structures, by what is there and not by release


def member(thing: Any, *names: str) -> Any:
    """Return the first member that exists; "mmu.vtcr" goes through two structures."""
    for name in names:
        found = thing
        try:
            for part in name.split("."):
                found = found.member_(part)
        except LookupError:
            continue
        return found
    raise LookupError(f"none of {', '.join(names)}: a kernel that this does not know")


def vtcr_of(arch: Any, mmu: Any) -> s2.VTCR_EL2:
    """Return VTCR_EL2: of the mmu since v6.7 (fe49fd940e22), of the VM before."""
    try:
        word = int(member(mmu, "vtcr"))
    except LookupError:
        word = int(member(arch, "vtcr"))
    return s2.VTCR_EL2.from_int(word)


def vmid_of(mmu: Any, vtcr: s2.VTCR_EL2) -> int:
    """Return the VMID; its generation stands above it."""
    found = member(mmu, "vmid.id.counter", "vmid.vmid")
    return int(found) & ((1 << vtcr.vmid_bits) - 1)


def vcpus_of(kvm: Any) -> Iterator[Any]:
    """Yield the vCPUs: an xarray since v5.17, an array before."""
    try:
        array = kvm.member_("vcpu_array")
    except LookupError:
        yield from (vcpu for vcpu in kvm.vcpus if vcpu)
        return
    for _, entry in xa_for_each(array.address_of_()):
        yield drgn.cast("struct kvm_vcpu *", entry)


def fwb_of(kvm: Any) -> bool | None:
    """Return HCR_EL2.FWB of the first vCPU that can be read."""
    try:
        for vcpu in vcpus_of(kvm):
            return bool(int(vcpu.arch.hcr_el2) & HCR_FWB)
    except drgn.FaultError:
        pass
    return None


def process_of(kvm: Any) -> str:
    """Return whose VM it is, in words."""
    pid = int(kvm.userspace_pid)
    try:
        task = kvm.mm.owner
        return f"process {pid} ({task.comm.string_().decode(errors='replace')!r})"
    except (drgn.FaultError, LookupError):
        return f"process {pid}"


def ordinary_vms(prog: drgn.Program) -> Iterator[Tables]:
    """Yield the tables of every VM, those of its nested guests after it."""
    head = prog["vm_list"].address_of_()
    for kvm in list_for_each_entry("struct kvm", head, "vm_list"):
        title = f"VM of {process_of(kvm)}"
        mmu = kvm.arch.mmu
        fwb = fwb_of(kvm)
        vtcr = vtcr_of(kvm.arch, mmu)
        root = int(member(kvm.arch, "mmu.pgd_phys", "pgd_phys"))
        yield Tables(title, vtcr, root, vmid_of(mmu, vtcr), fwb, kvm)
        try:
            count = int(kvm.arch.nested_mmus_size)
        except AttributeError:  # before nested virtualisation
            continue
        for index in range(count):
            nested = kvm.arch.nested_mmus[index]
            if int(nested.tlb_vttbr) & 1 or not int(nested.pgd_phys):
                continue  # bit 0, CnP, marks one that is not in use
            guest = (
                f"{title}, nested mmu {index} for VTTBR {int(nested.tlb_vttbr):#x}, "
                f"VTCR {int(nested.tlb_vtcr):#x}"
            )
            vtcr = vtcr_of(kvm.arch, nested)
            yield Tables(guest, vtcr, int(nested.pgd_phys), vmid_of(nested, vtcr), fwb)


def protected_vms(prog: drgn.Program) -> Iterator[Tables]:
    """Yield the tables that protected KVM keeps at EL2: guests, and the host's own."""
    # By symbol: by name, drgn may find another variable called vm_table.
    try:
        at = {
            name: prog.symbol(f"__kvm_nvhe_{name}").address
            for name in ("vm_table", "host_mmu", "hyp_physvirt_offset")
        }
    except LookupError:
        return
    offset = prog.read_u64(at["hyp_physvirt_offset"])
    table = prog.read_u64(at["vm_table"])
    if not table:
        return  # KVM is not protected

    def physical(address: int) -> int:
        return (address + offset) & ADDRESSES

    host = drgn.Object(prog, "struct host_mmu", address=at["host_mmu"])
    mmu = host.arch.mmu
    vtcr = vtcr_of(host.arch, mmu)
    yield Tables("the host, under protected KVM", vtcr, int(mmu.pgd_phys), None, None)

    hosts = {
        int(kvm.arch.pkvm.handle): kvm
        for kvm in list_for_each_entry(
            "struct kvm", prog["vm_list"].address_of_(), "vm_list"
        )
    }
    kind = prog.type("struct pkvm_hyp_vm")
    for index in range(MAX_PVMS):
        address = prog.read_u64(physical(table + 8 * index), physical=True)
        if address in {0, RESERVED_PVM}:
            continue
        data = prog.read(physical(address), drgn.sizeof(kind), physical=True)
        vm = drgn.Object.from_bytes_(prog, kind, data)
        mmu = vm.kvm.arch.mmu
        if not int(mmu.pgd_phys):
            continue  # it has none yet
        handle = int(vm.kvm.arch.pkvm.handle)
        kvm = hosts.get(handle)
        owner = "unknown process" if kvm is None else process_of(kvm)
        vtcr = vtcr_of(vm.kvm.arch, mmu)
        yield Tables(
            f"VM of {owner}, tables at EL2 (handle {handle:#x})",
            vtcr,
            int(mmu.pgd_phys),
            vmid_of(mmu, vtcr),
            None if kvm is None else fwb_of(kvm),
            kvm,
        )


# The same memory as the VMM has it


@frozen
class Slot:
    """A memory slot: guest-physical pages and where the VMM has them."""

    first: int
    pages: int
    virtual: int


def slots_of(kvm: Any) -> list[Slot]:
    """Return the memory slots: a tree since v5.17, an array before."""
    slots = kvm.memslots[0]
    try:
        tree = slots.gfn_tree.address_of_()
        node = f"gfn_node[{int(slots.node_idx)}]"
        found = [*rbtree_inorder_for_each_entry("struct kvm_memory_slot", tree, node)]
    except AttributeError:
        found = [slots.memslots[index] for index in range(int(slots.used_slots))]
    return [
        Slot(int(one.base_gfn), int(one.npages), int(one.userspace_addr))
        for one in found
    ]


def compare(tables: Tables, mappings: list[s2.Mapping]) -> str:
    """Compare each mapped page with the VMM's own page tables, and say how it went."""
    kvm, shift = tables.kvm, tables.vtcr.geometry().page_shift
    slots = slots_of(kvm)
    equal = missing = outside = 0
    wrong = []
    for mapping in mappings:
        for at in range(0, mapping.size, 1 << shift):
            ipa = mapping.ipa + at
            page = ipa >> shift
            [slot] = [
                one for one in slots if one.first <= page < one.first + one.pages
            ] or [None]
            if slot is None:  # a device of KVM's own, such as the GIC
                outside += 1
                continue
            try:
                where = follow_phys(kvm.mm, slot.virtual + (page - slot.first << shift))
            except drgn.FaultError:
                missing += 1
                continue
            if int(where) == mapping.output_address + at:
                equal += 1
            else:
                wrong.append(
                    f"{ipa:#x}: {mapping.output_address + at:#x}, not {int(where):#x}"
                )
    text = (
        f"memslots: {equal} pages equal, {len(wrong)} differ, {missing} are not in the "
        f"VMM's page tables, {outside} in no slot"
    )
    return "\n  ".join([text, *wrong[:20]])


# Output


def describe(tables: Tables) -> str:
    """Return the first line about a guest."""
    shape = tables.vtcr.geometry()
    fwb = {None: "FWB not known", True: "FWB", False: "no FWB"}[tables.fwb]
    vmid = "" if tables.vmid is None else f"VMID {tables.vmid}, "
    count = shape.concatenation
    return (
        f"{tables.title}: {vmid}{shape.granule} pages, {shape.ipa_bits}-bit IPA, "
        f"{shape.levels} levels, root {tables.root:#x} ({count} "
        f"{'table' if count == 1 else 'tables'}), {'LPA2, ' if shape.lpa2 else ''}{fwb}"
    )


def report(tables: Tables, read: Any, args: argparse.Namespace) -> Iterator[str]:
    """Yield the lines about one guest.

    Raises:
        s2.S2GeomError: Its tables cannot be read.
    """
    if not tables.root:
        yield f"{tables.title}: no tables here (root 0); under protected KVM, see EL2's"
        return
    yield describe(tables)
    mappings = []
    for mapping in tables.mappings(read):
        mappings.append(mapping)
        if not args.summary:
            words = ", ".join(mapping.attributes.explain(fwb=tables.fwb))
            yield (
                f"  {mapping.ipa:#x} to {mapping.ipa + mapping.size - 1:#x} -> "
                f"{mapping.output_address:#x}, level {mapping.level}: {words}"
            )
    pages = sum(one.size for one in mappings) >> tables.vtcr.geometry().page_shift
    yield f"  {len(mappings)} mappings, {pages} pages"
    for ipa, size in tables.unreadable:
        yield f"  not in the dump: the table for {ipa:#x} to {ipa + size - 1:#x}"
    if args.memslots and tables.kvm is not None:
        yield f"  {compare(tables, mappings)}"


def open_core(args: argparse.Namespace) -> drgn.Program:
    """Open the dump with its kernel.

    Raises:
        SystemExit: It cannot be opened; the message says what helps.
    """
    try:
        prog = drgn.Program()
        if args.vmcoreinfo is not None:  # a dump that has no VMCOREINFO note
            prog = drgn.Program(vmcoreinfo=args.vmcoreinfo.read_text())
        prog.set_core_dump(args.core)
        prog.load_debug_info([args.vmlinux])
    except Exception as error:
        hint = ""
        if "NT_AUXV" in str(error):
            hint = (
                "\nWithout VMCOREINFO the dump is taken for a process's. Give the text "
                "with --vmcoreinfo: in memory it begins with OSRELEASE="
            )
        raise SystemExit(f"cannot open {args.core}: {error}{hint}") from error
    return prog


def all_tables(prog: drgn.Program) -> Iterator[Tables]:
    """Yield the tables of all guests."""
    yield from ordinary_vms(prog)
    yield from protected_vms(prog)


def main() -> int:
    """Print everything; 1 if something could not be read."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("core", help="ELF core or makedumpfile's kdump of the host")
    parser.add_argument("vmlinux", help="its kernel, with debug information")
    parser.add_argument("--summary", action="store_true", help="no single mappings")
    parser.add_argument(
        "--memslots",
        action="store_true",
        help="compare every page with the page tables of the VMM",
    )
    parser.add_argument(
        "--vmcoreinfo", type=Path, help="VMCOREINFO as text, if the dump has none"
    )
    args = parser.parse_args()
    prog = open_core(args)
    print(f"Linux {prog['UTS_RELEASE'].string_().decode()}")
    status = count = 0
    read = readers.drgn(prog).read
    try:
        for tables in all_tables(prog):
            count += 1
            try:
                for line in report(tables, read, args):
                    print(line)
            except s2.S2GeomError as error:
                print(f"{tables.title}: cannot be read: {error}")
                status = 1
            status |= bool(tables.unreadable)
    except (drgn.FaultError, LookupError) as error:
        print(f"cannot go on: {error}")
        return 1
    if not count:
        print("no VM in this dump")
    return status


if __name__ == "__main__":
    sys.exit(main())
