"""What the operator does meanwhile: takes links back and gives them back, saves what is no policy, sends SIGHUP, renews the certificate."""

import http.client
import os
import signal
import ssl
import threading
import time

from client import Client, compare, read
from load import ok, refused, slept

# From a save to the first denial; on an idle machine it is some 25 ms.
LONGEST_SETTLING = 15
LONGEST_RENEWAL = 15


class Operator:
    """One change of the policy after another, each looked at from outside and taken back. Nobody else edits the policy."""

    def __init__(self, soak, random):
        self.soak, self.random, self.client, self.rounds = soak, random, Client(soak), 0
        self.turns = [self.one_link, self.a_signer, self.signed_before, self.an_object, self.a_key, self.an_edit]
        random.shuffle(self.turns)

    def turn(self):
        self.rounds += 1
        self.turns.append(self.turns.pop(0))
        self.turns[-1]()
        slept(self.soak, self.random.uniform(0.2, 1.5))

    def link(self, scheme, signer, key=None):
        return (scheme, self.soak.signers[signer].link(self.soak.host(scheme), "GET", (key or self.soak.revocable).name))

    def url(self, link):
        return f"{link[0]}://{self.soak.host(link[0])}{link[1]}"

    def ask(self, link):
        self.soak.pacer.pay()
        return self.client.ask("GET of a link that may be revoked", link[0], "GET", link[1], {"Range": "bytes=0-99"})

    def settle(self, link, status, what):
        """Asks until the change is in force; what is measured is from the end of the command or the rename."""
        begun = time.monotonic()
        while self.ask(link).status != status:
            assert time.monotonic() - begun < LONGEST_SETTLING, f"{what} was not in force after {LONGEST_SETTLING} s"
        self.soak.tally.took(what, time.monotonic() - begun)

    def hold(self, denied, allowed, times=4):
        """Every link is as it must be, again and again."""
        for _ in range(times):
            for link in denied:
                refused(self.ask(link), "AccessDenied", "a revoked link")
            for link in allowed:
                ok(self.ask(link), "a link beside a revoked one", 206)

    def around(self, revoke, restore, denied, allowed):
        """Revokes, looks, disturbs, looks, restores, looks. A download of what is denied is running, and is cut."""
        self.hold([], denied + allowed, times=1)
        running = Running(self.soak, denied[0])
        try:
            revoke()
            self.settle(denied[0], 403, "a revocation")
            self.hold(denied, allowed)
            running.was_cut()
            if self.rounds % 2:
                self.save_a_broken_policy(denied, allowed)
            if self.rounds % 3 == 0:
                self.hang_up()
                self.hold(denied, allowed)
        finally:
            running.close()
            restore()
        self.settle(denied[0], 206, "a restoration")
        self.hold([], denied + allowed)

    def by_command(self, *selector, denied, allowed):
        run = self.soak.command
        self.around(lambda: run("revoke", *selector, "--yes"), lambda: run("restore", *selector, "--yes"), denied, allowed)

    def one_link(self):
        first, second = self.link("http", "alice"), self.link("https", "alice")
        denied = self.random.choice([first, second])
        other = second if denied is first else first
        self.by_command("--url", self.url(denied), denied=[denied], allowed=[other, self.link("http", "bob")])

    def a_signer(self):
        denied = [self.link("http", "bob"), self.link("https", "bob")]
        self.by_command("--signer", "bob", denied=denied, allowed=[self.link("http", "alice")])

    def signed_before(self):
        old = self.link("http", "carol")
        # Dates in links have whole seconds.
        slept(self.soak, 1.1)
        self.by_command("--signer", "carol", "--signed-before", denied=[old], allowed=[self.link("https", "alice")])

    def an_object(self):
        denied = [self.link("http", "alice"), self.link("https", "bob"), self.link("http", "app")]
        allowed = [self.link("http", "alice", self.soak.static[6])]
        self.by_command("--object", f"s3://films/{self.soak.revocable.name}", denied=denied, allowed=allowed)

    def a_key(self):
        key = self.soak.signers["alice"].key
        self.by_command("--key", key, denied=[self.link("https", "alice")], allowed=[self.link("http", "bob")])

    def an_edit(self):
        """As an editor does it: the new file is written beside the old one, and renamed."""
        allow, deny = 'Effect = "Allow" # dora', 'Effect = "Deny" # dora'
        edit = lambda old, new: self.soak.save_policy(self.soak.policy.read_text().replace(old, new))
        denied = [self.link("http", "dora"), self.link("https", "dora")]
        self.around(lambda: edit(allow, deny), lambda: edit(deny, allow), denied, [self.link("http", "alice")])

    def save_a_broken_policy(self, denied, allowed):
        good = self.soak.policy.read_text()
        self.soak.broken_policies += 1
        self.soak.save_policy(self.random.choice([good[: len(good) // 2] + "\n[[sig", good.replace("Effect", "Efect"), "\0"]))
        try:
            slept(self.soak, 0.3)
            self.hold(denied, allowed)
        finally:
            self.soak.save_policy(good)
        self.hold(denied, allowed, times=1)

    def hang_up(self):
        """The policy is read anew, and the trail opened anew."""
        os.kill(self.soak.server.pid, signal.SIGHUP)
        self.soak.hang_ups += 1


class Running:
    """A download of a link, so slow that it is still running when the link is revoked."""

    def __init__(self, soak, link):
        self.soak, self.size, self.error, self.enough = soak, 0, None, threading.Event()
        self.connection = Client(soak).connect(link[0], small=True)
        soak.tally.begin("GET, to be cut")
        self.connection.request("GET", link[1], headers={"Connection": "close"})
        self.response = self.connection.getresponse()
        assert self.response.status == 200, f"a download to be cut: status {self.response.status}"
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        try:
            while not self.enough.is_set() and (piece := self.response.read(16 * 1024)):
                self.size += len(piece)
                time.sleep(0.02)
        except (OSError, http.client.HTTPException) as error:
            self.error = error

    def was_cut(self):
        self.thread.join(LONGEST_SETTLING)
        assert not self.thread.is_alive(), "a download of a revoked link goes on"
        whole = self.soak.revocable.now().size
        assert self.size < whole, f"a download of a revoked link was served whole: {self.size} bytes"

    def close(self):
        self.enough.set()
        self.thread.join(LONGEST_SETTLING)
        self.soak.tally.broke(self.size)
        self.connection.close()


class Renewer:
    """Renews the certificate: handshakes from then on see it, and connections that are open go on."""

    def __init__(self, soak, random):
        self.soak, self.client = soak, Client(soak)

    def turn(self):
        soak = self.soak
        # An open connection, which is used once more behind the renewal.
        self.look()
        soak.renew_certificate()
        wanted = ssl.PEM_cert_to_DER_cert((soak.folder / "tls/cert.pem").read_text().split("-----END")[0] + "-----END CERTIFICATE-----\n")
        begun = time.monotonic()
        used = begun
        while self.shown() != wanted:
            assert time.monotonic() - begun < LONGEST_RENEWAL, f"a renewed certificate was not shown after {LONGEST_RENEWAL} s"
            if time.monotonic() - used > 1:
                self.look()
                used = time.monotonic()
            slept(soak, 0.1)
        soak.tally.took("a renewal", time.monotonic() - begun)
        self.look()
        slept(soak, soak.renewal_every)

    def look(self):
        key, since = self.soak.static[3], time.monotonic()
        self.soak.pacer.pay()
        compare(key, since, self.client.ask("GET around a renewal", "https", "GET", self.soak.app.link(self.soak.host("https"), "GET", key.name)))

    def shown(self):
        connection = self.client.connect("https")
        try:
            return connection.sock.getpeercert(binary_form=True)
        finally:
            connection.close()
