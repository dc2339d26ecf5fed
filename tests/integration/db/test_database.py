from junkie_cli.db.database import Connection, Database


async def test_a_transaction_returns_what_its_work_returns(database: Database) -> None:
    async def count(connection: Connection) -> int:
        cursor = await connection.execute("SELECT count(*)::int FROM junkie.messages")
        row = await cursor.fetchone()
        assert row is not None
        return int(row[0])

    assert await database.transaction(count) == 0
