"""A Slurm of one machine, for tests: munged, slurmctld and slurmd of Debian, on the loopback, with folders of their own."""

import atexit
import getpass
import os
import shutil
import socket
import subprocess
import tempfile

from support import Skipped, wait_until


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Slurm:
    """Its daemons end with the tests."""

    def __init__(self):
        for program in ("munged", "slurmctld", "slurmd", "sbatch"):
            if not shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin"):
                raise Skipped(f"{program} is missing: apt-get install slurm-wlm munge")
        if os.geteuid() != 0:
            raise Skipped("slurmd needs root")
        os.environ["PATH"] += ":/usr/sbin:/sbin"
        self.folder = tempfile.mkdtemp(prefix="foretop-slurm-")
        os.chmod(self.folder, 0o755)
        self.daemons = []
        atexit.register(self.end)
        key, sock = self.path("munge.key"), self.path("munge.socket")
        with open(os.open(key, os.O_CREAT | os.O_WRONLY, 0o400), "wb") as file:
            file.write(os.urandom(1024))
        self.start(
            ["munged", "--foreground", "--force", f"--key-file={key}", f"--socket={sock}", f"--pid-file={self.path('munge.pid')}",
             f"--log-file={self.path('munge.log')}", f"--seed-file={self.path('munge.seed')}"])
        host = socket.gethostname().split(".")[0]
        with open(self.path("slurm.conf"), "w") as file:
            file.write(f"""ClusterName=foretop
SlurmctldHost={host}(127.0.0.1)
SlurmUser={getpass.getuser()}
SlurmctldPort={_free_port()}
SlurmdPort={_free_port()}
AuthType=auth/munge
AuthInfo=socket={sock}
CredType=cred/munge
StateSaveLocation={self.path('state')}
SlurmdSpoolDir={self.path('spool')}
SlurmctldPidFile={self.path('slurmctld.pid')}
SlurmdPidFile={self.path('slurmd.pid')}
SlurmctldLogFile={self.path('slurmctld.log')}
SlurmdLogFile={self.path('slurmd.log')}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=1,sched_interval=5,requeue_delay=0
MpiDefault=none
ReturnToService=2
KillWait=60
MinJobAge=300
RequeueExit=75
NodeName={host} NodeAddr=127.0.0.1 CPUs={os.cpu_count()} State=UNKNOWN
PartitionName=short Nodes={host} Default=YES MaxTime=INFINITE State=UP
PartitionName=long Nodes={host} MaxTime=INFINITE State=UP
""")
        for name in ("state", "spool"):
            os.mkdir(self.path(name))
        os.environ["SLURM_CONF"] = self.path("slurm.conf")
        wait_until(lambda: os.path.exists(sock), "munged answers")
        self.start(["slurmctld", "-D"])
        self.start(["slurmd", "-D", "-N", host])
        wait_until(self.is_idle, lambda: "the node is idle:\n" + self.logs())

    def path(self, name):
        return os.path.join(self.folder, name)

    def start(self, arguments):
        with open(self.path(arguments[0] + ".out"), "w") as out:
            self.daemons.append(
                subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT))

    def is_idle(self):
        for daemon in self.daemons:
            assert daemon.poll() is None, f"{daemon.args[0]} has ended:\n{self.logs()}"
        states = subprocess.run(["sinfo", "-h", "-o", "%T"], capture_output=True, text=True).stdout.split()
        return bool(states) and all(state == "idle" for state in states)

    def logs(self):
        words = ""
        for name in sorted(os.listdir(self.folder)):
            if name.endswith((".log", ".out")):
                with open(self.path(name), errors="replace") as file:
                    words += f"{name}:\n" + "".join(file.readlines()[-15:])
        return words

    def end(self):
        subprocess.run(["scancel", "-u", getpass.getuser()], capture_output=True)
        for daemon in reversed(self.daemons):
            daemon.terminate()
        for daemon in self.daemons:
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
