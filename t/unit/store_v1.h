/*
 * A store of schema 1, as version 1 has written it: three rewards were posted,
 * two claimed and one of them removed again, and there was a tap.
 */

#ifndef STORE_V1_H_INCLUDED
#define STORE_V1_H_INCLUDED


static const char  store_v1[] =
    "PRAGMA journal_mode = WAL;"
    "PRAGMA application_id = 1953656694;"
    "PRAGMA user_version = 1;"
    "BEGIN TRANSACTION;"
    "CREATE TABLE meta ( key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "INSERT INTO meta VALUES('created',1795256959);"
    "INSERT INTO meta VALUES('flush',2);"
    "INSERT INTO meta"
    " VALUES('instance','8bec30477698b2b3fe8a2254d2446bee');"
    "INSERT INTO meta VALUES('space','plane');"
    "INSERT INTO meta VALUES('version',4);"
    "CREATE TABLE rewards ( id INTEGER PRIMARY KEY, x REAL NOT NULL, y"
    " REAL NOT NULL, level REAL NOT NULL, value INTEGER NOT NULL, starts"
    " INTEGER NOT NULL, expires INTEGER NOT NULL, stock INTEGER NOT NULL,"
    " taken INTEGER NOT NULL, born INTEGER NOT NULL, slot INTEGER NOT NULL"
    " UNIQUE);"
    "INSERT INTO rewards VALUES(1,1.5,2.25,0.0,50,0,0,2,1,1,0);"
    "INSERT INTO rewards VALUES(9,0.0,0.0,0.0,-3,0,0,10,1,3,2);"
    "CREATE TABLE players ( number INTEGER PRIMARY KEY, player TEXT NOT"
    " NULL, balance INTEGER NOT NULL, seq INTEGER NOT NULL, paced INTEGER"
    " NOT NULL, x REAL NOT NULL, y REAL NOT NULL, moved INTEGER NOT NULL,"
    " coin INTEGER NOT NULL, coin_value INTEGER NOT NULL);"
    "INSERT INTO players"
    " VALUES(0,'ann',57,3,0,1.0,2.0,1795256959110,3123124719,7);"
    "INSERT INTO players VALUES(1,'bob''s \xc3\xa4',-3,0,0,0.0,0.0,0,0,0);"
    "CREATE TABLE grants ( number INTEGER NOT NULL, reward INTEGER NOT"
    " NULL, born INTEGER NOT NULL, ordinal INTEGER NOT NULL, value INTEGER"
    " NOT NULL, balance INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY"
    " (number, reward, born)) WITHOUT ROWID;"
    "INSERT INTO grants VALUES(0,1,1,1,50,50,1795256959110);"
    "INSERT INTO grants VALUES(1,9,3,1,-3,-3,1795256959113);"
    "CREATE VIEW claims AS SELECT player, reward, value, grants.balance AS"
    " balance, strftime('%Y-%m-%d %H:%M:%f', at / 1000.0, 'unixepoch') AS"
    " at FROM grants JOIN players USING (number);"
    "COMMIT;";


#endif /* STORE_V1_H_INCLUDED */
