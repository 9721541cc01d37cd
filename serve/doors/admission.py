"""What a caller may ask: which models, how much at once, and how much in all."""

from collections.abc import Sequence

from strop.export.bundle import Encoded

from ..core import Answer, Query
from ..errors import PermissionDeniedError, UnauthenticatedError
from ..repository.deployed import Deployed
from .keys import ANYBODY, Key, KeyRing, Scope
from .ledger import Ledger
from .reloaded import Reloaded
from .sizes import Sizes
from .visit import visit

NO_SIZES = Sizes()


class Admission:
    """Between the wire and the models; knows the caller by the task's ``visit``."""

    def __init__(
        self,
        sizes: Sizes = NO_SIZES,
        keys: Reloaded[KeyRing] | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        """Without ``keys`` anybody may ask anything of these sizes."""
        self.sizes = sizes
        self._keys = keys
        self._ledger = ledger or Ledger()

    def name(self, asked: str) -> str:
        """The name by which a call's model is to be looked for.

        A caller of one model needs to name none. ``PermissionDeniedError`` for one that its key isn't for.
        """
        models = self._key().models
        if not models or asked in models:
            return asked
        if asked or len(models) > 1:
            known = ", ".join(sorted(models))
            what = f"is not for model {asked!r}" if asked else "is for several models"
            raise PermissionDeniedError(f"the key {what}; ask for {known}")
        return next(iter(models))

    async def answer(self, deployed: Deployed, query: Query) -> Answer:
        """The model's answer, within the caller's sizes and quotas.

        Raises ``InvalidArgumentError`` for what is too large, ``QuotaError`` for what is used up, and what
        ``Deployed.answer`` does.
        """
        here, key = visit.get(), self._key()
        here.model, here.version = deployed.key
        here.texts, here.inputs = query.texts, len(query)
        self.sizes.check(query)
        if key is ANYBODY:
            answer = await deployed.answer(query)
            here.tokens = tokens_of(answer.encoded)
            return answer
        account = self._ledger.of(key)
        account.require_room()
        with account.using(len(query)):
            answer = await deployed.answer(query)
        here.tokens = tokens_of(answer.encoded)
        account.took(here.tokens, self._ledger.dollars(answer))
        return answer

    def _key(self) -> Key:
        """The caller's as the file has it now: a stream may be older than what became of its key."""
        known = visit.get().key
        if self._keys is None or known is ANYBODY:
            return known
        now = self._keys.get().get(known.id)
        if now is None or Scope.INFER not in now.scopes:
            raise UnauthenticatedError("the key no longer holds; get another one")
        return now


def tokens_of(encoded: Sequence[Encoded]) -> int:
    """Tokens that a call's texts had for the model, each window counted."""
    return sum(len(one.ids) for one in encoded)
