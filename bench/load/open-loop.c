// Sends one HTTP/1.1 request again and again at a fixed rate, whether or not earlier ones were answered, over kept connections.
// A request that finds no idle connection waits, and its latency counts from the moment when it was due: no coordinated omission.
// It spins on its core instead of sleeping, so requests leave within microseconds of that moment.
//
//   open-loop ADDRESS PORT RATE SECONDS PATIENCE CONNECTIONS plain|tls < request
//
// PATIENCE: so many seconds after the last request was due it goes, whatever is still unanswered.
//
// One line of text per request: status (0: none came), microseconds from due to sent, from due to answered, of those after it was sent
// the ones in which this program stalled, and the word after "code":" of an answer that is no 200. The last line is the longest stall.
// A stall is a time in which this program did not come to look, because another one had its core: an answer may have lain there.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

static const int64_t STALL_NS = 1000000;

enum { HEAD_BYTES = 64 * 1024, REQUEST_BYTES = 1024 * 1024, CODE_BYTES = 40, EVENTS = 256 };

struct outcome {
  int status;
  int64_t sent;
  int64_t answered;
  int64_t stalled;
  char code[CODE_BYTES];
};

struct connection {
  int fd;
  SSL *tls;
  long request;        // in work on it, -1 if none
  size_t unsent;       // bytes of the request that the socket has not taken yet
  size_t filled;       // of `head`
  long body_left;      // -1 while the head is not whole
  bool closes;
  char head[HEAD_BYTES];
};

static char request[REQUEST_BYTES];
static size_t request_bytes;
static struct sockaddr_in address;
static SSL_CTX *tls_context;
static struct connection *connections;
static long *idle;
static long idle_count;
static struct outcome *outcomes;
static long open_requests;
static int poller;
static int64_t looked;
static int64_t stalled;
static int64_t longest_stall;

static int64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void look(void) {
  int64_t now = now_ns();
  int64_t gap = now - looked;
  if (gap > STALL_NS) stalled += gap;
  if (gap > longest_stall) longest_stall = gap;
  looked = now;
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void open_connection(struct connection *c) {
  c->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof address) < 0) fail("connect");
  int on = 1;
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (tls_context) {
    c->tls = SSL_new(tls_context);
    SSL_set_fd(c->tls, c->fd);
    SSL_set_tlsext_host_name(c->tls, "localhost");
    if (SSL_connect(c->tls) != 1) fail("TLS handshake");
  }
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event) < 0) fail("epoll_ctl");
  c->request = -1;
  c->unsent = 0;
  idle[idle_count++] = c - connections;
}

static void close_connection(struct connection *c) {
  if (c->tls) SSL_free(c->tls);
  c->tls = NULL;
  close(c->fd);
}

static void finish(struct connection *c, int status) {
  outcomes[c->request].status = status;
  look();
  outcomes[c->request].answered = looked;
  outcomes[c->request].stalled += stalled;
  c->request = -1;
  open_requests -= 1;
}

// The other side is gone. A connection that served nothing may have been idle for too long: another one takes its place.
static void reopen(struct connection *c) {
  if (c->request >= 0) finish(c, 0);
  else
    for (long i = 0; i < idle_count; i++)
      if (idle[i] == c - connections) {
        idle[i] = idle[--idle_count];
        break;
      }
  close_connection(c);
  open_connection(c);
}

static bool send_rest(struct connection *c) {
  while (c->unsent > 0) {
    const char *from = request + request_bytes - c->unsent;
    long count = c->tls ? SSL_write(c->tls, from, c->unsent) : send(c->fd, from, c->unsent, MSG_NOSIGNAL);
    if (count <= 0) {
      bool full = c->tls ? SSL_get_error(c->tls, count) == SSL_ERROR_WANT_WRITE : errno == EAGAIN;
      if (!full) return false;
      struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
      epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &event);
      return true;
    }
    c->unsent -= count;
  }
  return true;
}

static void send_request(struct connection *c, long number) {
  look();
  outcomes[number].sent = looked;
  outcomes[number].stalled = -stalled;
  c->request = number;
  c->unsent = request_bytes;
  c->filled = 0;
  c->body_left = -1;
  c->closes = false;
  open_requests += 1;
  if (!send_rest(c)) reopen(c);
}

// Reads what is needed of a head that is whole; false if it is none that this program understands.
static bool read_head(struct connection *c, size_t head_bytes) {
  int status = 0;
  if (sscanf(c->head, "HTTP/1.1 %d", &status) != 1) return false;
  outcomes[c->request].status = status;
  char *length = strcasestr(c->head, "\r\ncontent-length:");
  if (!length || length > c->head + head_bytes) return false;
  c->closes = strcasestr(c->head, "\r\nconnection: close") != NULL;
  c->body_left = atol(length + strlen("\r\ncontent-length:")) - (long)(c->filled - head_bytes);
  return true;
}

static void note_code(struct connection *c) {
  char *code = outcomes[c->request].status == 200 ? NULL : strstr(c->head, "\"code\":\"");
  if (code) sscanf(code + strlen("\"code\":\""), "%39[A-Za-z0-9]", outcomes[c->request].code);
}

static void receive(struct connection *c) {
  static char rest[256 * 1024];
  for (;;) {
    bool in_head = c->request < 0 || c->body_left < 0 || c->filled < 4096;
    char *into = in_head ? c->head + c->filled : rest;
    size_t room = in_head ? HEAD_BYTES - 1 - c->filled : sizeof rest;
    long count = c->tls ? SSL_read(c->tls, into, room) : recv(c->fd, into, room, 0);
    if (count <= 0) {
      int error = c->tls ? SSL_get_error(c->tls, count) : 0;
      bool empty = c->tls ? error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE : count < 0 && errno == EAGAIN;
      if (!empty) reopen(c);
      return;
    }
    if (c->request < 0) continue;
    if (in_head) {
      c->filled += count;
      c->head[c->filled] = 0;
    }
    if (c->body_left >= 0) c->body_left -= count;
    else {
      char *end = strstr(c->head, "\r\n\r\n");
      if (!end && c->filled < HEAD_BYTES - 1) continue;
      if (!end || !read_head(c, end + 4 - c->head)) {
        reopen(c);
        return;
      }
    }
    if (c->body_left <= 0) {
      note_code(c);
      finish(c, outcomes[c->request].status);
      if (c->closes) {
        close_connection(c);
        open_connection(c);
        return;
      }
      idle[idle_count++] = c - connections;
    }
  }
}

static void turn(void) {
  struct epoll_event events[EVENTS];
  int count = epoll_wait(poller, events, EVENTS, 0);
  look();
  for (int i = 0; i < count; i++) {
    struct connection *c = events[i].data.ptr;
    if (events[i].events & EPOLLOUT) {
      struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
      epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &event);
      if (!send_rest(c)) reopen(c);
    }
    if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive(c);
  }
}

int main(int argc, char **argv) {
  if (argc != 8) {
    fprintf(stderr, "Usage: open-loop ADDRESS PORT RATE SECONDS PATIENCE CONNECTIONS plain|tls < request\n");
    return 2;
  }
  address.sin_family = AF_INET;
  address.sin_port = htons(atoi(argv[2]));
  if (inet_pton(AF_INET, argv[1], &address.sin_addr) != 1) fail("address");
  double rate = atof(argv[3]);
  long total = rate * atof(argv[4]);
  int64_t patience = atof(argv[5]) * 1e9;
  long count = atol(argv[6]);
  if (!strcmp(argv[7], "tls")) tls_context = SSL_CTX_new(TLS_client_method());
  request_bytes = fread(request, 1, REQUEST_BYTES, stdin);
  connections = calloc(count, sizeof *connections);
  idle = calloc(count, sizeof *idle);
  outcomes = calloc(total, sizeof *outcomes);
  poller = epoll_create1(0);
  for (long i = 0; i < count; i++) open_connection(&connections[i]);

  int64_t begin = now_ns() + 1000000;
  int64_t end = begin + (int64_t)(total * 1e9 / rate) + patience;
  looked = now_ns();
  long next = 0;
  while ((next < total || open_requests > 0) && now_ns() < end) {
    look();
    while (next < total && idle_count > 0 && begin + (int64_t)(next * 1e9 / rate) <= now_ns()) {
      send_request(&connections[idle[--idle_count]], next);
      next += 1;
    }
    turn();
  }

  for (long i = 0; i < total; i++) {
    int64_t due = begin + (int64_t)(i * 1e9 / rate);
    struct outcome *o = &outcomes[i];
    bool answered = o->answered > 0;
    printf("%d %ld %ld %ld %s\n", answered ? o->status : 0, o->sent ? (long)((o->sent - due) / 1000) : -1L,
           answered ? (long)((o->answered - due) / 1000) : -1L, answered ? (long)(o->stalled / 1000) : -1L, o->code);
  }
  printf("%ld\n", (long)(longest_stall / 1000));
  return 0;
}
