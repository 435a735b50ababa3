"""Who holds a lock."""

import os
import socket
from datetime import datetime, timezone

from pydantic import BaseModel, ConfigDict


class LockOwner(BaseModel):
    """The process that holds a lock; `started` is when it took it, in UTC."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str
    pid: int
    started: str

    @classmethod
    def this_process(cls, **more) -> "LockOwner":
        started = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
        return cls(host=socket.gethostname(), pid=os.getpid(), started=started, **more)

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.started} UTC"
