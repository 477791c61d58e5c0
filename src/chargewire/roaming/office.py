"""Everything of this instance that talks OCPI to roaming partners by itself."""

from chargewire.csms.directory import Directory
from chargewire.csms.orders import Orders
from chargewire.csms.registry import Registry
from chargewire.journal.memory import Journal
from chargewire.outgoing.http import Client
from chargewire.roaming.authorize import PartnersWord
from chargewire.roaming.calls import PartnerCalls
from chargewire.roaming.commands import Commands
from chargewire.roaming.handshake import Handshakes
from chargewire.roaming.pull_times import PullTimes
from chargewire.roaming.pulling import Puller
from chargewire.sharing.keys import Keys

PAGE_CAP = 64 * 1024 * 1024  # bytes: a page of a thousand locations of the wordiest partner
ANSWER_CAP = 256 * 1024  # of what is no list: versions, credentials, a driver's or a command's answer
TOTAL_S = 30.0


class Office:
    """What its parts share. `start` it once the HTTP port accepts, `stop` it at the end."""

    def __init__(
        self,
        journal: Journal,
        directory: Directory,
        registry: Registry,
        keys: Keys,
        desk: Orders,
        *,
        allow_private: bool = False,
    ) -> None:
        self.journal = journal
        self.directory = directory
        self.registry = registry
        self.keys = keys
        self.desk = desk
        self.public_url = ""
        self._client = Client(allow_private=allow_private, answer_cap=ANSWER_CAP, total_s=TOTAL_S)
        self._pages = Client(allow_private=allow_private, answer_cap=PAGE_CAP, total_s=TOTAL_S)
        self.calls = PartnerCalls(self._client)
        self.handshakes = Handshakes(registry, self.calls)
        self.puller = Puller(registry, PartnerCalls(self._pages), keys)
        self.pull_times = PullTimes(registry, self.puller)
        self.commands = Commands(registry, self.calls, keys, desk)
        self.authority = PartnersWord(directory, self.calls, keys)

    async def start(self, public_url: str) -> None:
        """`public_url`: where partners reach us, without a slash at the end."""
        self.public_url = self.handshakes.public_url = self.commands.public_url = public_url.rstrip("/")
        self.pull_times.start()
        await self.commands.start()

    async def stop(self) -> None:
        """End what is under way."""
        await self.pull_times.stop()
        await self.commands.stop()
        await self._client.close()
        await self._pages.close()
