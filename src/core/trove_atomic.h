/*
 * How memory that processes share is read and written.
 */

#ifndef TROVE_ATOMIC_H_INCLUDED
#define TROVE_ATOMIC_H_INCLUDED


#include <stdatomic.h>


#if (__x86_64__ || __i386__)
#define trove_pause()         __builtin_ia32_pause()
#elif (__aarch64__)
#define trove_pause()         __asm__ volatile ("yield" ::: "memory")
#else
#define trove_pause()         atomic_signal_fence(memory_order_seq_cst)
#endif

#define trove_get(p)          atomic_load_explicit(p, memory_order_relaxed)
#define trove_set(p, v)       atomic_store_explicit(p, v, memory_order_relaxed)
#define trove_acquire(p)      atomic_load_explicit(p, memory_order_acquire)
#define trove_release(p, v)   atomic_store_explicit(p, v, memory_order_release)
#define trove_cas(p, old, v)  atomic_compare_exchange_strong(p, old, v)


#endif /* TROVE_ATOMIC_H_INCLUDED */
