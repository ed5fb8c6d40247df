/*
 * Counts calls to allocators in every process that it is loaded into by
 * LD_PRELOAD.  The counters lie in the file that TROVE_COUNT names, a row of
 * them for each process, at its pid modulo ROWS; see poll_malloc.t.
 */

#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>


#define ROWS   4096
#define KINDS  8


enum {
    COUNT_MALLOC,         /* and calloc, realloc, the aligned ones           */
    COUNT_FREE,
    COUNT_MAP,            /* mmap, munmap, brk                               */
    COUNT_MI,             /* mimalloc by its own names                       */
    COUNT_MI_FREE
};


void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);
void __libc_free(void *p);


static uint64_t  (*rows)[KINDS];


static void __attribute__((constructor))
count_open(void)
{
    int    fd;
    void  *p;

    fd = open(getenv("TROVE_COUNT"), O_RDWR);
    p = (void *) syscall(SYS_mmap, NULL, ROWS * sizeof(*rows),
                         PROT_READ|PROT_WRITE, MAP_SHARED, fd, 0);

    if (p == MAP_FAILED) {
        abort();
    }

    rows = p;
    close(fd);
}


static void
count(int kind)
{
    if (rows) {
        __atomic_fetch_add(&rows[getpid() % ROWS][kind], 1, __ATOMIC_RELAXED);
    }
}


void *
malloc(size_t n)
{
    count(COUNT_MALLOC);
    return __libc_malloc(n);
}


void *
calloc(size_t n, size_t size)
{
    count(COUNT_MALLOC);
    return __libc_calloc(n, size);
}


void *
realloc(void *p, size_t n)
{
    count(COUNT_MALLOC);
    return __libc_realloc(p, n);
}


void *
memalign(size_t align, size_t n)
{
    count(COUNT_MALLOC);
    return __libc_memalign(align, n);
}


void *
aligned_alloc(size_t align, size_t n)
{
    return memalign(align, n);
}


int
posix_memalign(void **p, size_t align, size_t n)
{
    *p = memalign(align, n);
    return *p ? 0 : ENOMEM;
}


void
free(void *p)
{
    count(COUNT_FREE);
    __libc_free(p);
}


void *
mmap(void *addr, size_t n, int prot, int flags, int fd, off_t offset)
{
    count(COUNT_MAP);
    return (void *) syscall(SYS_mmap, addr, n, prot, flags, fd, offset);
}


int
munmap(void *addr, size_t n)
{
    count(COUNT_MAP);
    return syscall(SYS_munmap, addr, n);
}


void *
mi_malloc(size_t n)
{
    count(COUNT_MI);
    return __libc_malloc(n);
}


void *
mi_malloc_aligned(size_t n, size_t align)
{
    count(COUNT_MI);
    return __libc_memalign(align, n);
}


void
mi_free(void *p)
{
    count(COUNT_MI_FREE);
    __libc_free(p);
}
