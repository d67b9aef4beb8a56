"""What a Worker of ours says in the scenarios of `conformance/workers`, beside what workerd said when it was recorded."""

from conformance.workers import servers
from conformance.workers.scenarios import transcript
from conformance.workers.suite import beside_the_record, quick_names


def test_a_worker_differs_from_the_reference_only_where_a_reason_is_given() -> None:
    with servers.ours() as address:
        ours = transcript(address, quick_names())
    assert not (found := beside_the_record(ours)), "\n" + "\n".join(found)
