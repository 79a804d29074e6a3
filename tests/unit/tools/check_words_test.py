#!/usr/bin/env python3
"""tools/dev/check_words and tools/dev/check_folders on small git trees."""
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

DEV = Path(__file__).resolve().parents[3] / "tools" / "dev"


class Words(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.addCleanup(self.scratch.cleanup)
        self.root = Path(self.scratch.name) / "project"
        (self.root / "tools" / "dev").mkdir(parents=True)
        for name in ("check_words", "check_folders"):
            shutil.copy(DEV / name, self.root / "tools" / "dev" / name)
        subprocess.run(["git", "init", "-q", self.root], check=True)

    def check_words(self, text):
        (self.root / "file.txt").write_text(text)
        subprocess.run(["git", "-C", self.root, "add", "-A"], check=True)
        return subprocess.run([self.root / "tools/dev/check_words"], capture_output=True, text=True)

    def test_plain_text_is_accepted(self):
        done = self.check_words("words like hacker and method\n")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_mark_of_unfinished_work_is_refused(self):
        done = self.check_words("fine\n// " + "TO" + "DO: finish\n")
        self.assertEqual(done.returncode, 1)
        self.assertIn("file.txt:2", done.stderr)

    def test_path_of_this_machine_is_refused(self):
        self.assertEqual(self.check_words(f"see {self.root}/file\n").returncode, 1)

    def check_folders(self):
        subprocess.run(["git", "-C", self.root, "add", "-A"], check=True)
        return subprocess.run([sys.executable, self.root / "tools/dev/check_folders"], capture_output=True, text=True)

    def test_folder_without_readme_is_refused(self):
        done = self.check_folders()
        self.assertEqual(done.returncode, 1)
        self.assertIn("tools/dev: no README.md", done.stderr)

    def test_folders_with_readme_are_accepted(self):
        for folder in ("tools", "tools/dev"):
            (self.root / folder / "README.md").write_text("What lives here.\n")
        done = self.check_folders()
        self.assertEqual(done.returncode, 0, done.stderr)


unittest.main()
