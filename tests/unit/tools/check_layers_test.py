#!/usr/bin/env python3
"""tools/dev/check_layers on small trees, each with one edge."""
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

CHECK = Path(__file__).resolve().parents[3] / "tools" / "dev" / "check_layers"


def run_on(files):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return subprocess.run([sys.executable, CHECK, folder], capture_output=True, text=True)


class Layers(unittest.TestCase):
    def accepted(self, name, include):
        done = run_on({name: f"#include {include}\n"})
        self.assertEqual(done.returncode, 0, done.stderr)

    def refused(self, name, include, words):
        done = run_on({name: f"// first line\n  #  include {include}  // why\n"})
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn(f"{name}:2: ", done.stderr)
        self.assertIn(words, done.stderr)

    def test_edge_of_the_table_is_accepted(self):
        self.accepted("src/recipe/a.cpp", '"vmpatch/trust/keys.hpp"')

    def test_edge_over_two_steps_is_accepted(self):
        self.accepted("src/policy/a.cpp", '"vmpatch/core/result.hpp"')

    def test_edge_upwards_is_refused(self):
        self.refused("src/core/a.cpp", '"vmpatch/trust/keys.hpp"', "core may not include trust")

    def test_edge_sideways_is_refused(self):
        self.refused("src/gate/a.cpp", '"vmpatch/guest/facts.hpp"', "gate may not include guest")

    def test_contract_header_is_checked_too(self):
        self.refused("include/vmpatch/ledger/a.hpp", '"vmpatch/image/chain.hpp"', "ledger may not include image")

    def test_private_header_of_another_module_is_refused(self):
        self.refused("src/recipe/a.cpp", '"trust/openssl/pkey.hpp"', "private to trust")

    def test_private_header_of_the_own_module_is_accepted(self):
        self.accepted("src/trust/a.cpp", '"trust/openssl/pkey.hpp"')

    def test_composition_root_may_include_adapters(self):
        self.accepted("src/app/main.cpp", '"trust/openssl/pkey.hpp"')

    def test_library_header_outside_its_adapter_is_refused(self):
        self.refused("src/inventory/a.cpp", "<libvirt/libvirt.h>", "src/inventory/libvirt")
        self.refused("src/guest/guestfs_like/a.cpp", "<guestfs.h>", "src/guest/guestfs")
        self.refused("include/vmpatch/trust/a.hpp", "<openssl/evp.h>", "src/trust/openssl")

    def test_library_header_in_its_adapter_is_accepted(self):
        self.accepted("src/inventory/libvirt/a.cpp", "<libvirt/libvirt.h>")
        self.accepted("src/guest/direct/a.cpp", "<ext2fs/ext2fs.h>")
        self.accepted("src/cli/plan/a.cpp", "<CLI/CLI.hpp>")

    def test_unknown_module_is_refused(self):
        self.refused("src/core/a.cpp", '"vmpatch/utils/a.hpp"', 'no module "utils"')
        done = run_on({"src/utils/a.cpp": "\n"})
        self.assertEqual(done.returncode, 1)

    def test_dots_in_an_include_are_refused(self):
        self.refused("src/core/a.cpp", '"../trust/a.hpp"', "without")

    def test_empty_tree_is_refused(self):
        self.assertEqual(run_on({"README.md": ""}).returncode, 1)


unittest.main()
