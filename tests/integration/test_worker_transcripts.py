"""What a Worker of ours says in the scenarios of `conformance/workers`, beside what workerd said when it was recorded."""

import pytest

from conformance.workers import servers
from conformance.workers.scenarios import transcript
from conformance.workers.suite import beside_the_record, quick_names

# A machine that is busy with other tests takes longer for what is to come. What does not come costs that much, and is little.
PATIENCE = 5.0


@pytest.mark.timeout(300)
def test_a_worker_differs_from_the_reference_only_where_a_reason_is_given() -> None:
    with servers.ours() as address:
        ours = transcript(address, quick_names(), patience=PATIENCE)
    assert not (found := beside_the_record(ours)), "\n" + "\n".join(found)
