"""kill -9 of agent or controller at seeded moments of a transfer: it goes on where it was, no chunk that was durable is
sent twice, and what is served at the end is the tree, byte for byte.

FARBOOT_E2E_KILLS: how many kills while chunks are on their way (default 12); those that miss come on top.
FARBOOT_E2E_SEED: printed at each run; the same seed picks the same moments."""
import os
import random

from farboot_lab import programs
from farboot_lab.case import LabCase
from farboot_lab.fake_machine import FakeMachine
from farboot_lab.wait import wait_for

KILLS_DEFAULT = 12
WAN_RATE = "60mbit"
BYTES_BETWEEN_KILLS = 6_000_000


class Kill(LabCase):
    def setUp(self):
        self.kills = int(os.environ.get("FARBOOT_E2E_KILLS") or KILLS_DEFAULT)
        seed = int(os.environ.get("FARBOOT_E2E_SEED") or random.randrange(1 << 32))
        print(f"FARBOOT_E2E_SEED={seed} FARBOOT_E2E_KILLS={self.kills}")
        self.random = random.Random(seed)
        self.stage = self.enterContext(self.make_stage())
        self.mark_agent = 0         # size of the agent's log when it last began from nothing
        self.kept = []              # per kill: (what was durable at the agent, size of the controller's log)
        self.held_chunks = 0        # of all kills: durable then, and so not to be sent after it
        self.steps_hit = []         # of kills at the end of a transfer: the step the agent was in

    # ---- what is on the disk, and what was sent ----------------------------------------------------------------------------
    def durable(self):
        """Digests the dead (or stopped) agent's store holds, read from a copy of its database: mending the log is the agent's own affair."""
        tool = self.stage.programs.path("farboot_state_edit")
        return set(programs.run([tool, self.stage.agent.database, "chunks"], self.stage.programs.environment).stdout.split())

    def sent(self, since):
        """Digests the controller sent after its log had `since` bytes."""
        return [e["chunk"] for e in self.stage.controller.daemon.events("link.chunk_sent", since)]

    def test_kills(self):
        stage = self.stage
        cli = stage.start_controller().cli
        cli("image", "import", self.tree.folder, "--name", "centos7", "--tag", "1708")
        cli("loader", "import")
        cli("apply", self.make_fleet())
        stage.enroll_agent()
        stage.net.shape_wan("rate", WAN_RATE)
        cli("rollout", "start", "r1", "--site", "lyon")
        done, rounds, kills_in_transfer = 0, 0, 0
        while kills_in_transfer < self.kills:
            self.assertLess(done, 3 * self.kills + 10, f"only {kills_in_transfer} kills hit a transfer")
            if self.serving():
                self.check_result()
                rounds += 1
                self.forget_everything()
            kills_in_transfer += self.kill_once(done)
            done += 1
        wait_for("the transfer ends by itself", self.serving, 180)
        self.check_result()
        print(f"{done} kills, {kills_in_transfer} of them while chunks were on their way, {rounds + 1} transfers finished, "
              f"{self.held_chunks} chunks durable at kills; killed at the end in step {', '.join(self.steps_hit) or 'none'}")
        # Else nothing was put to the test.
        self.assertGreater(self.held_chunks, 0, "chunks that were durable at a kill")

    def kill_once(self, number):
        """One kill at a moment the seed picks; True if chunks were on their way. Both run again afterwards."""
        stage = self.stage
        mark = stage.controller.daemon.log_size()
        kill_controller, at_the_end = self.random.random() < 0.3, self.random.random() < 0.15
        after = self.random.randrange(0, BYTES_BETWEEN_KILLS)
        start = stage.net.wan_bytes()[0]
        if at_the_end:
            moment = lambda: self.step() in ("ready", "activate") or self.serving()  # noqa: E731
        else:
            moment = lambda: stage.net.wan_bytes()[0] - start >= after or self.serving()  # noqa: E731
        wait_for(f"kill {number}: {'the last chunk has' if at_the_end else f'{after} bytes have'} come", moment, 60, poll=0.01)
        hit = bool(self.sent(mark)) and not self.serving() and not at_the_end
        if at_the_end and not self.serving():
            self.steps_hit.append(self.step())
        if kill_controller:
            with stage.agent.daemon.stopped():
                stage.controller.daemon.kill()
                self.remember_durable()
            stage.controller.daemon.start()
        else:
            stage.agent.daemon.kill()
            self.remember_durable()
            stage.agent.daemon.start()
        return hit

    def step(self):
        """The agent's, of the transfer under way."""
        return next((e["step"] for e in reversed(self.stage.agent.daemon.events("sync.step", self.mark_agent))), "")

    def remember_durable(self):
        self.check_sent_once()
        held = self.durable()
        self.held_chunks += len(held)
        self.kept.append((held, self.stage.controller.daemon.log_size()))

    def check_sent_once(self):
        """What was durable at a kill must not have been sent after it: looked at again each time, for it may be late."""
        for held, since in self.kept:
            again = held & set(self.sent(since))
            self.assertFalse(again, f"{len(again)} durable chunks were sent again, as {sorted(again)[:3]}")

    def serving(self):
        return bool(self.stage.agent.daemon.events("sync.activate", self.mark_agent))

    def forget_everything(self):
        """The agent loses its content and begins again: a new transfer to kill."""
        self.mark_agent, self.kept = self.stage.agent.daemon.log_size(), []
        self.stage.agent.lose_card()

    def check_result(self):
        self.check_sent_once()
        self.assertTrue(self.sent(0), "the controller's log names what it sent")
        if not hasattr(self, "machine_"):
            self.machine_ = FakeMachine(self.stage.net, "c1", "52:54:00:65:00:71")
            self.machine_.take_lease(self.machine_.offers(self.machine_.options())[0][0], {})
        connection = self.machine_.connect(self.stage.net.pi)
        for path in self.tree.files():
            got = self.machine_.get(f"http://{self.stage.net.pi}/images/centos7/{path}", connection=connection)
            self.assertEqual((got.status, got.sha256), (200, self.tree.sha256(path)), path)
        connection.close()
