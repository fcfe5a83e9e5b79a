#!/usr/bin/env python3
"""pycases.py RESULTS NAME...: runs Python's own tests and writes what became of each case, one line a case.

What:   NAME is a module of Debian's libpython3.11-testsuite (test_os) or one case of it (test_os.FileTests.test_read).
        A line of RESULTS is "start CASE", written before it runs, or "ok|skip|fail CASE: why".
Idea:   runs inside the root file system that is tested, on whatever kernel: tests/pytests.py runs it on two and compares.
        Lines are appended at once and the file is open for no longer, as some tests look at the open descriptors.
"""
import faulthandler
import os
import sys
import tempfile
import unittest

from test import support

CASE_LIMIT = 300                # seconds, after which Python says where it hangs, and ends
results = os.path.abspath(sys.argv[1])


def note(*words):
    with open(results, "a") as f:
        f.write(" ".join(" ".join(words).split()) + "\n")


class Result(unittest.TestResult):
    """A case's verdict is its worst: a failure, also of a part, before a skip."""

    def startTest(self, test):
        super().startTest(test)
        self.verdict = "ok", ""
        faulthandler.dump_traceback_later(CASE_LIMIT, exit=True)
        note("start", test.id())

    def stopTest(self, test):
        note(self.verdict[0], test.id() + ":", self.verdict[1])
        super().stopTest(test)

    def worse(self, kind, why):
        if self.verdict[0] != "fail":
            self.verdict = kind, why

    def bad(self, test, err):
        self.worse("fail", (err[0].__name__ + ": " + str(err[1]))[:300])
        print("=" * 20, test.id(), self._exc_info_to_string(err, test), sep="\n", flush=True)
        if not isinstance(test, unittest.TestCase):     # a class or module could not be set up
            note("fail", test.id() + ":", str(err[1]))

    addError = addFailure = bad

    def addSubTest(self, test, subtest, err):
        if err:
            self.bad(test, err)

    def addSkip(self, test, reason):
        self.worse("skip", reason)
        if not isinstance(test, unittest.TestCase):
            note("skip", test.id() + ":", reason)

    def addUnexpectedSuccess(self, test):
        self.worse("fail", "unexpected success")


def main():
    support.use_resources = ["cpu", "subprocess", "walltime", "largefile"]
    support.verbose = 0
    faulthandler.enable()
    with tempfile.TemporaryDirectory() as d:
        os.chdir(d)
        for name in sys.argv[2:]:
            suite = unittest.defaultTestLoader.loadTestsFromName("test." + name.removeprefix("test."))
            suite.run(Result())
        os.chdir("/")
    note("end")
    os._exit(0)                 # not waiting for what a failed test has left behind


if __name__ == "__main__":
    main()
