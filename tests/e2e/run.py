#!/usr/bin/env python3
"""Runs end-to-end tests, each in namespaces of its own.

  run.py --bin build/dev/bin --work build/dev/e2e --tree build/lab/tree MODULE[.Class[.test]]...

What a test leaves to look at (logs, captures, serial consoles) stays in WORK/NAME if it fails. Exit status 77: this
machine cannot make virtual sites, or has not what these tests need."""
import argparse
import os
import shutil
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from farboot_lab import case, isolate  # noqa: E402


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="where the programs are")
    parser.add_argument("--work", required=True, help="where tests may write")
    parser.add_argument("--tree", required=True, help="install tree of lab/make-tree.sh")
    parser.add_argument("--keep", action="store_true", help="keep what good tests leave, too")
    parser.add_argument("names", nargs="+", help="install_test, install_test.Install.test_bios, …")
    return parser.parse_args()


def main():
    options = arguments()
    isolate.isolate()
    work = os.path.abspath(os.path.join(options.work, options.names[0]))
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    case.configure(bin_folder=os.path.abspath(options.bin), work=work, tree=os.path.abspath(options.tree))
    suite = unittest.defaultTestLoader.loadTestsFromNames(options.names)
    result = unittest.TextTestRunner(verbosity=2, stream=sys.stdout).run(suite)
    if result.wasSuccessful() and not options.keep:
        shutil.rmtree(work, ignore_errors=True)
    else:
        print(f"logs and captures: {work}")
    if result.wasSuccessful() and result.testsRun and len(result.skipped) == result.testsRun:
        sys.exit(isolate.SKIP)
    sys.exit(0 if result.wasSuccessful() and result.testsRun else 1)


if __name__ == "__main__":
    main()
