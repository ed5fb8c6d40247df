
/*
 * Redis by TLS.
 */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "trove_redis.h"

#ifndef TROVE_REDIS_TLS
#define TROVE_REDIS_TLS        0
#endif

#if (TROVE_REDIS_TLS)

#include <hiredis/hiredis_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>


static const char *trove_redis_tls_path(const char *env, const char *path);
static SSL *trove_redis_tls_ssl(SSL_CTX *ctx, const char *host);


trove_rc_t
trove_redis_tls_open(trove_redis_conf_t *conf, char *error)
{
    SSL_CTX     *ctx;
    const char  *file, *dir;

    file = trove_redis_tls_path(X509_get_default_cert_file_env(),
                                X509_get_default_cert_file());
    dir = trove_redis_tls_path(X509_get_default_cert_dir_env(),
                               X509_get_default_cert_dir());

    /* OpenSSL is content with neither, and trusts nobody */

    if (access(file, R_OK) != 0 && access(dir, R_OK|X_OK) != 0) {
        (void) snprintf(error, TROVE_STORE_ERROR, "TLS trusts nobody: neither "
                        "%s nor %s is to be read", file, dir);
        return TROVE_INVALID;
    }

    ctx = SSL_CTX_new(TLS_client_method());

    if (ctx == NULL) {
        (void) snprintf(error, TROVE_STORE_ERROR, "TLS: no memory");
        return TROVE_NOMEM;
    }

    ERR_clear_error();

    if (!SSL_CTX_set_default_verify_paths(ctx)) {
        (void) snprintf(error, TROVE_STORE_ERROR, "TLS: %s and %s are not to "
                        "be read: %s", file, dir,
                        ERR_reason_error_string(ERR_peek_last_error()));
        SSL_CTX_free(ctx);
        return TROVE_INVALID;
    }

    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);

    conf->tls_context = ctx;

    return TROVE_OK;
}


static const char *
trove_redis_tls_path(const char *env, const char *path)
{
    const char  *value;

    value = getenv(env);

    return (value != NULL) ? value : path;
}


void
trove_redis_tls_close(trove_redis_conf_t *conf)
{
    SSL_CTX_free(conf->tls_context);
    conf->tls_context = NULL;
}


trove_rc_t
trove_redis_tls(redisContext *c, const trove_redis_conf_t *conf,
    const char *host, void **tls)
{
    SSL  *ssl;

    ERR_clear_error();
    ssl = trove_redis_tls_ssl(conf->tls_context, host);

    /* it is the connection's from here on, unless that fails */

    if (ssl != NULL && redisInitiateSSL(c, ssl) == REDIS_OK) {

        if (tls != NULL) {
            *tls = ssl;
        }

        return TROVE_OK;
    }

    trove_redis_tls_why(c, ssl);
    SSL_free(ssl);

    return TROVE_INVALID;
}


/* That demands the host's certificate. */

static SSL *
trove_redis_tls_ssl(SSL_CTX *ctx, const char *host)
{
    SSL  *ssl;

    ssl = SSL_new(ctx);

    if (ssl == NULL) {
        return NULL;
    }

    SSL_set_connect_state(ssl);

    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host)
        || (SSL_set1_host(ssl, host) && SSL_set_tlsext_host_name(ssl, host)))
    {
        ERR_clear_error();
        return ssl;
    }

    SSL_free(ssl);

    return NULL;
}


int
trove_redis_tls_reads(void *tls)
{
    return tls != NULL && SSL_want_read((SSL *) tls);
}


void
trove_redis_tls_why(redisContext *c, void *tls)
{
    long         result;
    const char  *why;

    result = (tls != NULL) ? SSL_get_verify_result(tls) : X509_V_OK;

    why = (result != X509_V_OK)
          ? X509_verify_cert_error_string(result)
          : ERR_reason_error_string(ERR_peek_last_error());

    if (why != NULL) {
        (void) snprintf(c->errstr, sizeof(c->errstr), "%s", why);
    }

    /* other connections of this thread are not to find it */

    ERR_clear_error();
}

#else

trove_rc_t
trove_redis_tls_open(trove_redis_conf_t *conf, char *error)
{
    (void) snprintf(error, TROVE_STORE_ERROR, "hiredis has no TLS");

    return TROVE_INVALID;
}


void
trove_redis_tls_close(trove_redis_conf_t *conf)
{
}


trove_rc_t
trove_redis_tls(redisContext *c, const trove_redis_conf_t *conf,
    const char *host, void **tls)
{
    (void) snprintf(c->errstr, sizeof(c->errstr), "this was not built with "
                    "it");

    return TROVE_INVALID;
}


int
trove_redis_tls_reads(void *tls)
{
    return 0;
}


void
trove_redis_tls_why(redisContext *c, void *tls)
{
}

#endif
