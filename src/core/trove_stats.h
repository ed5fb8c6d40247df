/*
 * Statistics: one list of figures, of which the struct, the sum, the JSON,
 * the Prometheus text and the README's table are made.  A new figure is a
 * line of TROVE_STATS_LIST, a new endpoint one of TROVE_STATS_ENDPOINTS.
 *
 * A trove has one region of memory that all its workers share:
 *
 *   +--------+---------------+--------+--------+-- ... --+--------+
 *   | header | owners of the | slot 0 | slot 1 |         | shared |
 *   |        | slots         |        |        |         | slot   |
 *   +--------+---------------+--------+--------+-- ... --+--------+
 *
 *   slot      one worker's figures; only it writes them, without atomic
 *             read-modify-writes, others read meanwhile
 *   owner     the process (trove_process.h); a slot is free if that is nobody
 *             or dead, and whoever takes it goes on counting where it stands:
 *             counters never go back, over deaths, reloads and generations;
 *             whoever comes next counts those who died as owners, each once
 *   used      slots below it were owned once; a sum reads no others, and no
 *             others take memory
 *   shared    for workers that find no free slot: there adds are atomic, and
 *             gauges, which no one worker can tell, are left out
 *
 * Coins are counted by their names, which the header remembers for ever.
 */

#ifndef TROVE_STATS_H_INCLUDED
#define TROVE_STATS_H_INCLUDED


#include "trove.h"
#include "trove_coins.h"
#include "trove_exemplar.h"
#include "trove_histogram.h"
#include "trove_process.h"
#include "trove_writer.h"


/*
 * The version of the JSON: another one when a member is gone or means another
 * thing, not when there are more.
 */

#define TROVE_STATS_SCHEMA   1

#define TROVE_STATS_SLOTS    256
#define TROVE_STATS_ALIGN    (2 * TROVE_CACHE_LINE)
#define TROVE_STATS_COINS    TROVE_COINS_MAX   /* names, besides "(other)" */


/*
 * The endpoints.
 *
 *   X(NAME, name)
 */

#define TROVE_STATS_ENDPOINTS(X)                                             \
    X(POLL, poll)                                                            \
    X(REWARDS, rewards)                                                      \
    X(CLAIM, claim)                                                          \
    X(TAP, tap)                                                              \
    X(BOARD, board)                                                          \
    X(STATS, stats)


/* The codes of answers; all others are counted as "other". */

#define TROVE_STATS_CODES(X)                                                 \
    X(200) X(202) X(400) X(403) X(404) X(405) X(408) X(409) X(410) X(413)    \
    X(415) X(429) X(499) X(500) X(503) X(507)


#define TROVE_STATS_REQUESTS         "trove_requests_total"
#define TROVE_STATS_REQUESTS_HELP    "Requests, by endpoint and code."

#define TROVE_STATS_COIN             "trove_coins_total"
#define TROVE_STATS_COIN_HELP        "Coins that were granted."

#define TROVE_STATS_BOARD_ROWS       "trove_board_rows"
#define TROVE_STATS_BOARD_ROWS_HELP  "Rows of the board's current period."
#define TROVE_STATS_BOARD_ROOM       "trove_board_rows_capacity"
#define TROVE_STATS_BOARD_ROOM_HELP                                          \
    "Rows that a period of the board has room for."
#define TROVE_STATS_REBUILDS         "trove_board_rebuilds_total"
#define TROVE_STATS_REBUILDS_HELP                                            \
    "Times that the board's order was built anew."

#define TROVE_STATS_QUEUED           "trove_overflow_pending"
#define TROVE_STATS_QUEUED_HELP      "Operations that wait in the queue."
#define TROVE_STATS_OLDEST           "trove_overflow_oldest_seconds"
#define TROVE_STATS_OLDEST_HELP                                              \
    "How long the first one has waited that there is no room for; 0: none."

#define TROVE_STATS_DURATION         "trove_request_duration_seconds"
#define TROVE_STATS_DURATION_HELP                                            \
    "Time that requests took in the module."


/*
 * The figures of an endpoint, besides its requests by code and their duration.
 *
 *   X(field, family, labels, help)
 */

#define TROVE_STATS_ENDPOINT_LIST(X)                                         \
    X(lines_ok, "trove_batch_lines_total", "result=\"ok\"",                  \
      "Lines of batches, by what came of them.")                             \
    X(lines_error, "trove_batch_lines_total", "result=\"error\"",            \
      "Lines of batches, by what came of them.")


/*
 * Durations, as histograms; recorded in nanoseconds, shown in seconds.
 *
 *   X(field, family, help)
 */

#define TROVE_STATS_HISTOGRAM_LIST(X)                                        \
    X(epoch_turn, "trove_epoch_turn_seconds",                                \
      "How long turning the epoch took.")                                    \
    X(epoch_lag, "trove_epoch_lag_seconds",                                  \
      "How late the epoch turned: how long the event loop was stuck.")       \
    X(view_build, "trove_view_build_seconds",                                \
      "How long building a new view took, in its thread.")                   \
    X(store_flush, "trove_store_flush_seconds",                              \
      "How long bringing what had changed to the store took.")               \
    X(store_call, "trove_store_call_seconds",                                \
      "How long the store took to answer a call.")                           \
    X(overflow_call, "trove_overflow_seconds",                               \
      "How long a call took that has operations wait in queues.")


/*
 * The figures.  Those of a family stand together and have the same help.
 *
 *   X(KIND, field, family, labels, help)
 *
 *   COUNTER   only grows; summed over all workers, alive or gone
 *   SUM       a worker's gauge, summed over those alive
 *   LEAST     a worker's gauge, the least of those alive
 *   PROCESS   the same for every trove of a worker: shown once, by worker
 *   TROVE     set in the sum by who asks for it, not by workers
 *   SPAN      the same, in nanoseconds, which are shown in seconds
 */

#define TROVE_STATS_LIST(X)                                                  \
    X(COUNTER, poll_scanned, "trove_poll_scanned_rewards_total", "",         \
      "Rewards that polls had to look at.")                                  \
    X(COUNTER, poll_found, "trove_poll_found_total", "",                     \
      "Rewards that polls found.")                                           \
    X(COUNTER, rewards_accepted, "trove_rewards_written_total",              \
      "result=\"accepted\"",                                                 \
      "Rewards that were sent or removed, by what came of it.")              \
    X(COUNTER, rewards_rejected, "trove_rewards_written_total",              \
      "result=\"rejected\"",                                                 \
      "Rewards that were sent or removed, by what came of it.")              \
    X(COUNTER, rewards_full, "trove_rewards_written_total",                  \
      "result=\"full\"",                                                     \
      "Rewards that were sent or removed, by what came of it.")              \
    X(COUNTER, rewards_removed, "trove_rewards_written_total",               \
      "result=\"removed\"",                                                  \
      "Rewards that were sent or removed, by what came of it.")              \
    X(COUNTER, claims_granted, "trove_claims_total",                         \
      "result=\"granted\"",                                                  \
      "Claims, by what came of them.")                                       \
    X(COUNTER, claims_repeat, "trove_claims_total",                          \
      "result=\"repeat\"",                                                   \
      "Claims, by what came of them.")                                       \
    X(COUNTER, claims_gone, "trove_claims_total",                            \
      "result=\"gone\"",                                                     \
      "Claims, by what came of them.")                                       \
    X(COUNTER, claims_unknown, "trove_claims_total",                         \
      "result=\"unknown\"",                                                  \
      "Claims, by what came of them.")                                       \
    X(COUNTER, claims_early, "trove_claims_total",                           \
      "result=\"early\"",                                                    \
      "Claims, by what came of them.")                                       \
    X(COUNTER, claims_expired, "trove_claims_total",                         \
      "result=\"expired\"",                                                  \
      "Claims, by what came of them.")                                       \
    X(COUNTER, claims_level, "trove_claims_total",                           \
      "result=\"level\"",                                                    \
      "Claims, by what came of them.")                                       \
    X(COUNTER, claims_far, "trove_claims_total",                             \
      "result=\"far\"",                                                      \
      "Claims, by what came of them.")                                       \
    X(COUNTER, claims_fast, "trove_claims_total",                            \
      "result=\"fast\"",                                                     \
      "Claims, by what came of them.")                                       \
    X(COUNTER, claims_forbidden, "trove_claims_total",                       \
      "result=\"forbidden\"",                                                \
      "Claims, by what came of them.")                                       \
    X(COUNTER, claims_full, "trove_claims_total",                            \
      "result=\"full\"",                                                     \
      "Claims, by what came of them.")                                       \
    X(COUNTER, claims_let_far, "trove_claims_dry_run_total",                 \
      "rule=\"range\"",                                                      \
      "Claims granted in a dry run that the rules would have refused.")      \
    X(COUNTER, claims_let_fast, "trove_claims_dry_run_total",                \
      "rule=\"max_speed\"",                                                  \
      "Claims granted in a dry run that the rules would have refused.")      \
    X(COUNTER, taps_granted, "trove_taps_total",                             \
      "result=\"granted\"",                                                  \
      "Taps, by what came of them.")                                         \
    X(COUNTER, taps_repeat, "trove_taps_total",                              \
      "result=\"repeat\"",                                                   \
      "Taps, by what came of them.")                                         \
    X(COUNTER, taps_stale, "trove_taps_total",                               \
      "result=\"stale\"",                                                    \
      "Taps, by what came of them.")                                         \
    X(COUNTER, taps_limited, "trove_taps_total",                             \
      "result=\"limited\"",                                                  \
      "Taps, by what came of them.")                                         \
    X(COUNTER, taps_forbidden, "trove_taps_total",                           \
      "result=\"forbidden\"",                                                \
      "Taps, by what came of them.")                                         \
    X(COUNTER, taps_full, "trove_taps_total",                                \
      "result=\"full\"",                                                     \
      "Taps, by what came of them.")                                         \
    X(COUNTER, board_improved, "trove_board_writes_total",                   \
      "result=\"improved\"",                                                 \
      "Writes to boards, by what came of them.")                             \
    X(COUNTER, board_kept, "trove_board_writes_total",                       \
      "result=\"kept\"",                                                     \
      "Writes to boards, by what came of them.")                             \
    X(COUNTER, board_repeat, "trove_board_writes_total",                     \
      "result=\"repeat\"",                                                   \
      "Writes to boards, by what came of them.")                             \
    X(COUNTER, board_stale, "trove_board_writes_total",                      \
      "result=\"stale\"",                                                    \
      "Writes to boards, by what came of them.")                             \
    X(COUNTER, board_overflow, "trove_board_writes_total",                   \
      "result=\"overflow\"",                                                 \
      "Writes to boards, by what came of them.")                             \
    X(COUNTER, board_forbidden, "trove_board_writes_total",                  \
      "result=\"forbidden\"",                                                \
      "Writes to boards, by what came of them.")                             \
    X(COUNTER, board_full, "trove_board_writes_total",                       \
      "result=\"full\"",                                                     \
      "Writes to boards, by what came of them.")                             \
    X(COUNTER, board_removed, "trove_board_writes_total",                    \
      "result=\"removed\"",                                                  \
      "Writes to boards, by what came of them.")                             \
    X(COUNTER, ledger_busy, "trove_ledger_busy_total", "",                   \
      "Writes and reads given up because the ledger was held too long.")     \
    X(COUNTER, epoch_turns, "trove_epoch_turns_total", "",                   \
      "Epochs turned.")                                                      \
    X(COUNTER, arena_exhausted, "trove_arena_exhausted_total", "",           \
      "Requests refused because the arena was used up.")                     \
    X(COUNTER, view_changes, "trove_view_changes_total", "",                 \
      "Changes of the ledger that views have applied.")                      \
    X(COUNTER, view_builds, "trove_view_builds_total", "",                   \
      "Views built anew.")                                                   \
    X(COUNTER, view_build_failures, "trove_view_build_failures_total", "",   \
      "Views that could not be built.")                                      \
    X(COUNTER, slots_exhausted, "trove_stats_slots_exhausted_total", "",     \
      "Workers without a slot of their own, whose gauges are not counted.")  \
    X(COUNTER, worker_deaths, "trove_worker_deaths_total", "",               \
      "Workers that died, seen when others start.")                          \
    X(COUNTER, store_commits, "trove_store_commits_total", "",               \
      "Transactions that were committed to the store.")                      \
    X(COUNTER, store_rewards, "trove_store_rows_total", "table=\"rewards\"", \
      "Rows that were committed to the store.")                              \
    X(COUNTER, store_players, "trove_store_rows_total", "table=\"players\"", \
      "Rows that were committed to the store.")                              \
    X(COUNTER, store_claims, "trove_store_rows_total", "table=\"claims\"",   \
      "Rows that were committed to the store.")                              \
    X(COUNTER, store_scores, "trove_store_rows_total", "table=\"scores\"",   \
      "Rows that were committed to the store.")                              \
    X(COUNTER, store_full, "trove_store_failures_total", "reason=\"full\"",  \
      "Failures of the store, by reason.")                                   \
    X(COUNTER, store_busy, "trove_store_failures_total", "reason=\"busy\"",  \
      "Failures of the store, by reason.")                                   \
    X(COUNTER, store_io, "trove_store_failures_total", "reason=\"io\"",      \
      "Failures of the store, by reason.")                                   \
    X(COUNTER, store_gone, "trove_store_failures_total", "reason=\"gone\"",  \
      "Failures of the store, by reason.")                                   \
    X(COUNTER, store_foreign, "trove_store_failures_total",                  \
      "reason=\"foreign\"",                                                  \
      "Failures of the store, by reason.")                                   \
    X(COUNTER, store_nomem, "trove_store_failures_total",                    \
      "reason=\"nomem\"",                                                    \
      "Failures of the store, by reason.")                                   \
    X(COUNTER, store_hangs, "trove_store_failures_total",                    \
      "reason=\"hangs\"",                                                    \
      "Failures of the store, by reason.")                                   \
    X(COUNTER, store_away, "trove_store_failures_total",                     \
      "reason=\"away\"",                                                     \
      "Failures of the store, by reason.")                                   \
    X(COUNTER, store_timeout, "trove_store_failures_total",                  \
      "reason=\"timeout\"",                                                  \
      "Failures of the store, by reason.")                                   \
    X(COUNTER, store_denied, "trove_store_failures_total",                   \
      "reason=\"denied\"",                                                   \
      "Failures of the store, by reason.")                                   \
    X(COUNTER, store_readonly, "trove_store_failures_total",                 \
      "reason=\"readonly\"",                                                 \
      "Failures of the store, by reason.")                                   \
    X(COUNTER, store_lost, "trove_store_failures_total",                     \
      "reason=\"lost\"",                                                     \
      "Failures of the store, by reason.")                                   \
    X(COUNTER, store_calls, "trove_store_calls_total", "",                   \
      "Calls that were sent to the store.")                                  \
    X(COUNTER, store_calls_again, "trove_store_calls_again_total", "",       \
      "Calls that were sent once more, for no answer had come.")             \
    X(COUNTER, breaker_opened, "trove_breaker_transitions_total",            \
      "to=\"open\"",                                                         \
      "Times that the breaker came to be open, half-open or closed.")        \
    X(COUNTER, breaker_half_opened, "trove_breaker_transitions_total",       \
      "to=\"half-open\"",                                                    \
      "Times that the breaker came to be open, half-open or closed.")        \
    X(COUNTER, breaker_closed, "trove_breaker_transitions_total",            \
      "to=\"closed\"",                                                       \
      "Times that the breaker came to be open, half-open or closed.")        \
    X(COUNTER, store_log_failures, "trove_store_log_failures_total", "",     \
      "Attempts to put the log of the store in its place that failed.")      \
    X(COUNTER, store_opens, "trove_store_opens_total", "",                   \
      "Times that the store was opened.")                                    \
    X(COUNTER, store_ack_timeouts, "trove_store_ack_timeouts_total", "",     \
      "Requests that waited for the store in vain.")                         \
    X(COUNTER, store_refused, "trove_store_refused_total", "",               \
      "Writes refused because the store took none.")                         \
    X(COUNTER, store_entries, "trove_store_entries_total", "",               \
      "Entries of the store's log that were carried out on the ledger.")     \
    X(COUNTER, store_snapshots, "trove_store_snapshots_total", "",           \
      "Times that all of the store was read anew.")                          \
    X(COUNTER, overflow_queued, "trove_overflow_queued_total", "",           \
      "Operations that wait in queues, or have, for there was no room.")     \
    X(COUNTER, overflow_full, "trove_overflow_refused_total",                \
      "reason=\"full\"",                                                     \
      "Operations that no queue took, or that were put aside: invalid.")     \
    X(COUNTER, overflow_away, "trove_overflow_refused_total",                \
      "reason=\"away\"",                                                     \
      "Operations that no queue took, or that were put aside: invalid.")     \
    X(COUNTER, overflow_invalid, "trove_overflow_refused_total",             \
      "reason=\"invalid\"",                                                  \
      "Operations that no queue took, or that were put aside: invalid.")     \
    X(COUNTER, overflow_drained, "trove_overflow_drained_total", "",         \
      "Operations that have waited in queues and were carried out.")         \
    X(COUNTER, overflow_lost, "trove_overflow_lost_total", "",               \
      "Operations that waited in queues and are no longer there.")           \
    X(SUM, arena_size, "trove_arena_bytes", "state=\"size\"",                \
      "Bytes of the workers' arenas: all, of the last epoch, at most.")      \
    X(SUM, arena_used, "trove_arena_bytes", "state=\"used\"",                \
      "Bytes of the workers' arenas: all, of the last epoch, at most.")      \
    X(SUM, arena_peak, "trove_arena_bytes", "state=\"peak\"",                \
      "Bytes of the workers' arenas: all, of the last epoch, at most.")      \
    X(SUM, view_bytes, "trove_view_bytes", "",                               \
      "Bytes of the workers' views.")                                        \
    X(SUM, large_pages, "trove_large_pages_bytes", "",                       \
      "Bytes of arenas and views that large pages back.")                    \
    X(SUM, store_log, "trove_store_log_bytes", "",                           \
      "Bytes of the log of the store that are not yet in their place.")      \
    X(SUM, store_waiting, "trove_store_waiting", "",                         \
      "Requests that wait for the store.")                                   \
    X(SUM, store_connected, "trove_store_connected", "",                     \
      "1 while the ledger follows a store that many machines share.")        \
    X(SUM, overflow_up, "trove_overflow_up", "",                             \
      "1 while what waits in queues is looked after.")                       \
    X(LEAST, view_version, "trove_view_version", "",                         \
      "The version of the ledger that every worker's polls have reached.")   \
    X(PROCESS, allocator_committed, "trove_allocator_committed_bytes", "",   \
      "Bytes that the allocator has committed.")                             \
    X(PROCESS, allocator_reserved, "trove_allocator_reserved_bytes", "",     \
      "Bytes of address space that the allocator has reserved.")             \
    X(PROCESS, resident, "trove_process_resident_bytes", "",                 \
      "Resident set of the worker, as the kernel says.")                     \
    X(TROVE, rewards, "trove_rewards", "",                                   \
      "Rewards in the ledger.")                                              \
    X(TROVE, rewards_capacity, "trove_rewards_capacity", "",                 \
      "Rewards that the ledger has room for.")                               \
    X(TROVE, players, "trove_players", "",                                   \
      "Players in the ledger.")                                              \
    X(TROVE, players_capacity, "trove_players_capacity", "",                 \
      "Players that the ledger has room for.")                               \
    X(TROVE, claims, "trove_ledger_claims", "",                              \
      "Claims granted that the ledger holds.")                               \
    X(TROVE, claims_capacity, "trove_ledger_claims_capacity", "",            \
      "Claims that the ledger has room for.")                                \
    X(TROVE, ledger_version, "trove_ledger_version", "",                     \
      "Version of the ledger.")                                              \
    X(TROVE, ledger_bytes, "trove_ledger_bytes", "",                         \
      "Bytes of shared memory that the ledger takes.")                       \
    X(TROVE, snapshot_bytes, "trove_snapshot_bytes", "",                     \
      "Bytes of the view that is kept for workers that start.")              \
    X(TROVE, store_failing, "trove_store_failing", "",                       \
      "1 while the store takes no writes, which are tried again.")           \
    X(TROVE, breaker_state, "trove_breaker_state", "",                       \
      "The breaker of the store or the queues: 0 closed, 1 half-open, "       \
      "2 open.")                                                             \
    X(SPAN, store_lag, "trove_store_lag_seconds", "",                        \
      "Seconds since the moment up to which the store has everything.")      \
    X(TROVE, store_position, "trove_store_log", "",                          \
      "Entry of the store's log that the ledger has reached.")               \
    X(SPAN, store_age, "trove_store_age_seconds", "",                        \
      "Seconds since the ledger was last known to be what the store has.")   \
    X(TROVE, overflow_max, "trove_overflow_max", "",                         \
      "Operations that a queue may have; 0: there are no queues.")           \
    X(TROVE, workers_alive, "trove_workers", "",                             \
      "Workers alive that have a slot of their own.")                        \
    X(TROVE, started, "trove_start_time_seconds", "",                        \
      "Unix time at which counting began.")


#define TROVE_STATS_ENUM(NAME, name)                TROVE_ENDPOINT_##NAME,
#define TROVE_STATS_CODE(code)                      TROVE_CODE_##code,
#define TROVE_STATS_STAT(field, family, l, help)    trove_stat_t  field;
#define TROVE_STATS_HIST(field, family, help)       trove_histogram_t  field;
#define TROVE_STATS_FIGURE(kind, field, family, l, help)                     \
    trove_stat_t  field;


typedef enum {
    TROVE_STATS_ENDPOINTS(TROVE_STATS_ENUM)
    TROVE_ENDPOINTS
} trove_endpoint_t;


enum {
    TROVE_CODE_OTHER,
    TROVE_STATS_CODES(TROVE_STATS_CODE)
    TROVE_CODES
};


typedef struct {
    trove_stat_t             requests[TROVE_CODES];
    TROVE_STATS_ENDPOINT_LIST(TROVE_STATS_STAT)
    trove_histogram_t        duration;
} trove_stats_endpoint_t;


typedef struct {
    TROVE_STATS_LIST(TROVE_STATS_FIGURE)
    trove_stats_endpoint_t   endpoints[TROVE_ENDPOINTS];
    TROVE_STATS_HISTOGRAM_LIST(TROVE_STATS_HIST)
    trove_stat_t             coins[TROVE_STATS_COINS + 1];
} trove_stats_figures_t;


/* Of each endpoint's duration, by bound. */

typedef struct {
    trove_exemplar_t         of[TROVE_HISTOGRAM_NBOUNDS + 1];
} trove_stats_exemplars_t;


/* A slot; what several share has no exemplars. */

typedef struct {
    uint32_t                 shared;    /* by all that found no other        */
    uint32_t                 index;
    trove_stats_figures_t    figures;
    trove_stats_exemplars_t  exemplars[TROVE_ENDPOINTS];
} trove_aligned(TROVE_STATS_ALIGN) trove_stats_t;


/* A worker alive; the figures are those of the kind PROCESS. */

#define TROVE_STATS_OF_COUNTER(field)
#define TROVE_STATS_OF_SUM(field)
#define TROVE_STATS_OF_LEAST(field)
#define TROVE_STATS_OF_PROCESS(field)               trove_stat_t  field;
#define TROVE_STATS_OF_TROVE(field)
#define TROVE_STATS_OF_SPAN(field)
#define TROVE_STATS_OF_WORKER(KIND, field, family, l, help)                  \
    TROVE_STATS_OF_##KIND(field)

typedef struct {
    trove_process_t          process;
    TROVE_STATS_LIST(TROVE_STATS_OF_WORKER)
} trove_stats_worker_t;


/* The sum over a region; of some 60 KB, see sizeof(). */

typedef struct {
    trove_stats_figures_t    sum;
    uint32_t                 nworkers;
    trove_stats_worker_t     workers[TROVE_STATS_SLOTS];
    uint32_t                 ncoins;
    trove_slice_t            coins[TROVE_STATS_COINS + 1];   /* names       */
    trove_stats_exemplars_t  exemplars[TROVE_ENDPOINTS];     /* the newest  */
} trove_stats_total_t;


/* What /proc tells of the workers, read once for all troves; starts as zero. */

typedef struct {
    trove_process_t          process;
    uint64_t                 resident;  /* bytes                             */
    int                      alive;
} trove_stats_process_t;

typedef struct {
    uint32_t                 n;
    trove_stats_process_t    of[TROVE_STATS_SLOTS];
} trove_stats_seen_t;


/* A board, whose name is at most 64 letters, digits, "_" or "-". */

typedef struct {
    const char                *name;
    uint64_t                   rows;
    uint64_t                   capacity;
    uint64_t                   rebuilds;
} trove_stats_board_t;


/* A queue, "rewards", "players", or "board:" and a board's name. */

typedef struct {
    const char                *name;
    uint64_t                   pending;
    uint64_t                   oldest;    /* ns                              */
} trove_stats_queue_t;


/* A trove, its sum, its boards and its queues, to be shown. */

typedef struct {
    trove_slice_t              name;      /* any bytes                       */
    const char                *simd;      /* the kernels it uses             */
    const trove_stats_total_t *total;
    const trove_stats_board_t *boards;
    uint32_t                   nboards;
    const trove_stats_queue_t *queues;
    uint32_t                   nqueues;
} trove_stats_trove_t;


typedef struct {
    const char               *version;
    const char               *nginx;
    const char               *simd;       /* the best this machine has       */
    const char               *allocator;
    const char               *allocator_version;
} trove_stats_info_t;


typedef enum {
    TROVE_STATS_JSON,
    TROVE_STATS_PROMETHEUS,   /* text format 0.0.4                           */
    TROVE_STATS_OPENMETRICS,  /* that of OpenMetrics 1.0.0                   */
    TROVE_STATS_HTML          /* the live page, which reads the JSON         */
} trove_stats_format_t;


/* The lists as tables. */

typedef enum {
    TROVE_STATS_COUNTER,
    TROVE_STATS_SUM,
    TROVE_STATS_LEAST,
    TROVE_STATS_PROCESS,
    TROVE_STATS_TROVE,
    TROVE_STATS_SPAN
} trove_stats_kind_t;


typedef struct {
    trove_stats_kind_t        kind;
    const char               *field;
    const char               *family;
    const char               *labels;
    const char               *help;
    size_t                    offset;     /* of what the list is of          */
    size_t                    worker;     /* of trove_stats_worker_t         */
} trove_stats_entry_t;


#define TROVE_STATS_PLUS_FIGURE(KIND, field, family, l, help)    + 1
#define TROVE_STATS_PLUS_STAT(field, family, l, help)            + 1
#define TROVE_STATS_PLUS_HIST(field, family, help)               + 1

enum {
    TROVE_STATS_FIGURES = 0 TROVE_STATS_LIST(TROVE_STATS_PLUS_FIGURE),
    TROVE_STATS_ENDPOINT_FIGURES
        = 0 TROVE_STATS_ENDPOINT_LIST(TROVE_STATS_PLUS_STAT),
    TROVE_STATS_HISTOGRAMS
        = 0 TROVE_STATS_HISTOGRAM_LIST(TROVE_STATS_PLUS_HIST)
};


extern const trove_stats_entry_t  trove_stats_list[TROVE_STATS_FIGURES];
extern const trove_stats_entry_t
    trove_stats_endpoint_list[TROVE_STATS_ENDPOINT_FIGURES];
extern const trove_stats_entry_t
    trove_stats_histogram_list[TROVE_STATS_HISTOGRAMS];

extern const char *const  trove_stats_endpoints[TROVE_ENDPOINTS];
extern const char *const  trove_stats_code_names[TROVE_CODES];

/* TROVE_CODE_* of a code below 600. */
extern const uint8_t      trove_stats_codes[600];


/* The figure of an entry in what its list is of. */

static inline trove_stat_t *
trove_stats_at(void *figures, const trove_stats_entry_t *entry)
{
    return (trove_stat_t *) ((char *) figures + entry->offset);
}


static inline uint64_t
trove_stats_value(const void *figures, const trove_stats_entry_t *entry)
{
    return trove_stat_get((const trove_stat_t *)
                          ((const char *) figures + entry->offset));
}


/* The same of the kind PROCESS. */

static inline uint64_t
trove_stats_process(const trove_stats_worker_t *worker,
    const trove_stats_entry_t *entry)
{
    return trove_stat_get((const trove_stat_t *)
                          ((const char *) worker + entry->worker));
}


static inline const trove_histogram_t *
trove_stats_histogram(const trove_stats_figures_t *figures,
    const trove_stats_entry_t *entry)
{
    return (const trove_histogram_t *)
               ((const char *) figures + entry->offset);
}


/* Bytes of a region; most of them are never touched. */
size_t trove_stats_size(void);

/* Lays a region out in zeroed memory that is aligned to TROVE_STATS_ALIGN. */
void trove_stats_init(void *region);

/* TROVE_OK, or TROVE_MISMATCH: it is none, or was laid out for other lists. */
trove_rc_t trove_stats_attach(const void *region);

/*
 * The number in figures.coins of the coin of that name, which is remembered;
 * the last one if too many have been.  One process at a time may call this.
 */
uint32_t trove_stats_coin(void *region, const trove_slice_t *name);

/*
 * This process's slot of the region, its counters as they stand and its
 * gauges zero; never NULL.  Looks at each owner, therefore for start only.
 */
trove_stats_t *trove_stats_claim(void *region);

/* Zeroes the gauges and lets the slot go, at a clean exit. */
void trove_stats_release(trove_stats_t *s);


static inline void
trove_stats_count(trove_stats_t *s, trove_stat_t *stat, uint64_t n)
{
    if (trove_unlikely(s->shared)) {
        trove_stat_add_shared(stat, n);
        return;
    }

    trove_stat_add(stat, n);
}


static inline void
trove_stats_gauge(trove_stats_t *s, trove_stat_t *stat, uint64_t n)
{
    if (!s->shared) {
        trove_stat_set(stat, n);
    }
}


static inline void
trove_stats_duration(trove_stats_t *s, trove_histogram_t *h, uint64_t ns)
{
    if (trove_unlikely(s->shared)) {
        trove_histogram_record_shared(h, ns);
        return;
    }

    trove_histogram_record(h, ns);
}


/*
 * What workers record with: n more of a counter, the value of a gauge, a
 * duration in nanoseconds; n more of an endpoint's counter.
 */

#define trove_stats_add(s, field, n)                                         \
    trove_stats_count(s, &(s)->figures.field, n)

#define trove_stats_set(s, field, value)                                     \
    trove_stats_gauge(s, &(s)->figures.field, value)

#define trove_stats_observe(s, field, ns)                                    \
    trove_stats_duration(s, &(s)->figures.field, ns)

#define trove_stats_endpoint_add(s, endpoint, field, n)                      \
    trove_stats_count(s, &(s)->figures.endpoints[endpoint].field, n)


static inline uint32_t
trove_stats_code(uint32_t status)
{
    return trove_likely(status < 600) ? trove_stats_codes[status]
                                      : (uint32_t) TROVE_CODE_OTHER;
}


/* A request that was answered with "status" and took so long. */

static inline void
trove_stats_request(trove_stats_t *s, trove_endpoint_t endpoint,
    uint32_t status, uint64_t ns)
{
    trove_stats_endpoint_t  *e;

    e = &s->figures.endpoints[endpoint];

    trove_stats_count(s, &e->requests[trove_stats_code(status)], 1);
    trove_stats_duration(s, &e->duration, ns);
}


/*
 * The exemplar that such a request is asked for, which is to be put; most are
 * not, NULL.  "now" is the unix time in ms.
 */

static inline trove_exemplar_t *
trove_stats_exemplar(trove_stats_t *s, trove_endpoint_t endpoint, uint64_t ns,
    uint64_t now)
{
    trove_exemplar_t  *e;

    e = &s->exemplars[endpoint].of[trove_histogram_bound(ns)];

    if (trove_likely(!trove_exemplar_due(e, now)) || s->shared) {
        return NULL;
    }

    return e;
}


/*
 * Sums the region up; figures of the kind PROCESS are those of total->workers
 * and not in the sum.  Of the kind TROVE it sets "workers_alive" and "started";
 * the others are left zero, to be set by the caller: total->sum.rewards = n.
 * The sums of several regions share what is "seen"; one alone may pass NULL.
 */
void trove_stats_sum(const void *region, trove_stats_seen_t *seen,
    trove_stats_total_t *total);


/* Bytes that suffice for the text of these in any of the formats. */
size_t trove_stats_text_max(const trove_stats_info_t *info,
    const trove_stats_trove_t *troves, uint32_t n);

/*
 * All figures as text.  No two of the troves have the same name; what of a
 * name is not UTF-8 is shown as \xHH.
 */

void trove_stats_json(trove_writer_t *w, const trove_stats_info_t *info,
    const trove_stats_trove_t *troves, uint32_t n);

/* In one of its two formats. */
void trove_stats_prometheus(trove_writer_t *w, const trove_stats_info_t *info,
    const trove_stats_trove_t *troves, uint32_t n,
    trove_stats_format_t format);

/* The README's table of all families, in Markdown. */
void trove_stats_table(trove_writer_t *w);


/* For both formats: text between quotes, with what it needs to stay there. */
void trove_stats_escape(trove_writer_t *w, const unsigned char *s, size_t len,
    int json);

/* A duration in seconds. */
void trove_stats_seconds(trove_writer_t *w, uint64_t ns);


#endif /* TROVE_STATS_H_INCLUDED */
