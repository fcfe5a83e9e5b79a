"""blkrec.py: disks that remember every write and every flush, and can show what a power cut would have left.

Idea:   QEMU reaches the disks over NBD on a Unix socket.  A write before the last flush lasts; those after it may each have
        reached the disk or not, in any order.  All disks share one record, so it says in which order things came.
See:    crash.py; the NBD protocol (proto.md of NetworkBlockDevice/nbd)
"""
import random, socket, struct, threading

OPT_EXPORT_NAME, OPT_ABORT, OPT_INFO, OPT_GO = 1, 2, 6, 7
CMD_READ, CMD_WRITE, CMD_DISC, CMD_FLUSH, CMD_TRIM, CMD_WRITE_ZEROES = 0, 1, 2, 3, 4, 6
FLAGS = 1 | 4 | 8                       # has flags, flush, FUA
FUA = 1
OPT_MAGIC, REPLY_MAGIC = 0x49484156454f5054, 0x3e889045565a9


class Recorder:
    def __init__(self, path, disks):
        """disks: name -> bytes at the start."""
        self.start = {name: bytes(data) for name, data in disks.items()}
        self.now = {name: bytearray(data) for name, data in disks.items()}
        self.record = []                # ("w", disk, offset, bytes) and ("f", disk)
        self.lock = threading.Lock()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(8)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    def close(self):
        self.listener.close()

    # ---- the protocol ----

    @staticmethod
    def take(conn, n):
        data = b""
        while len(data) < n:
            more = conn.recv(n - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def serve(self, conn):
        try:
            name = self.negotiate(conn)
            while name and self.request(conn, name):
                pass
        except (EOFError, OSError):
            pass
        conn.close()

    def negotiate(self, conn):
        conn.sendall(b"NBDMAGIC" + struct.pack(">QH", OPT_MAGIC, 1 | 2))        # fixed newstyle, no zeroes
        no_zeroes = struct.unpack(">I", self.take(conn, 4))[0] & 2
        while True:
            _, opt, size = struct.unpack(">QII", self.take(conn, 16))
            data = self.take(conn, size)
            if opt == OPT_EXPORT_NAME:
                name = data.decode()
                conn.sendall(struct.pack(">QH", len(self.now[name]), FLAGS) + (b"" if no_zeroes else bytes(124)))
                return name
            if opt in (OPT_GO, OPT_INFO):
                name = data[4:4 + struct.unpack(">I", data[:4])[0]].decode()
                info = struct.pack(">HQH", 0, len(self.now[name]), FLAGS)
                conn.sendall(struct.pack(">QIII", REPLY_MAGIC, opt, 3, len(info)) + info)
                conn.sendall(struct.pack(">QIII", REPLY_MAGIC, opt, 1, 0))
                if opt == OPT_GO:
                    return name
            elif opt == OPT_ABORT:
                conn.sendall(struct.pack(">QIII", REPLY_MAGIC, opt, 1, 0))
                return None
            else:
                conn.sendall(struct.pack(">QIII", REPLY_MAGIC, opt, (1 << 31) + 1, 0))

    def request(self, conn, name):
        _, flags, cmd, handle, offset, size = struct.unpack(">IHHQQI", self.take(conn, 28))
        reply = b""
        if cmd == CMD_DISC:
            return False
        with self.lock if cmd != CMD_WRITE else _Nothing():
            if cmd == CMD_READ:
                reply = bytes(self.now[name][offset:offset + size])
            elif cmd == CMD_FLUSH:
                self.record.append(("f", name))
        if cmd == CMD_WRITE:
            data = self.take(conn, size)
            with self.lock:
                self.now[name][offset:offset + size] = data
                self.record.append(("w", name, offset, data))
                if flags & FUA:
                    self.record.append(("f", name))
        conn.sendall(struct.pack(">IIQ", 0x67446698, 0, handle) + reply)
        return True

    # ---- after the fact ----

    def image(self, name, upto, rng):
        """The disk after a cut: record[:upto] has happened.  Also which writes of the others were in time: see crash.py."""
        image, pending = bytearray(self.start[name]), []
        for entry in self.record[:upto]:
            if entry[1] != name:
                continue
            if entry[0] == "f":
                for _, _, offset, data in pending:
                    image[offset:offset + len(data)] = data
                pending = []
            else:
                pending.append(entry)
        rng.shuffle(pending)
        for _, _, offset, data in pending:
            for at in range(0, len(data), 4096):        # a long write may stop half-way
                piece = data[at:at + 4096]
                if rng.random() < 0.5:
                    image[offset + at:offset + at + len(piece)] = piece
        return image

    def writes(self, name, upto):
        return [e[3] for e in self.record[:upto] if e[0] == "w" and e[1] == name]


class _Nothing:
    def __enter__(self):
        return self

    def __exit__(self, *args):
        return False


def random_of(seed):
    return random.Random(seed)
