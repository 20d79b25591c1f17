/* The floor: a WebSocket broadcast in C on epoll, one thread, one send(2) per member.
 *
 *   broadcast PORT send    one send per member and message
 *   broadcast PORT tick    all messages of one loop turn are joined, one send per member
 *
 * It is a limit, not a server: text frames of less than 64 KiB only, requests of less than 4 KiB, and a reader that is
 * too slow loses data. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_FD 20000
#define INPUT_BYTES 4096
#define MAX_EVENTS 1024

struct connection {
    char input[INPUT_BYTES];
    int used;
    int is_member; /* the handshake is done */
};

static struct connection *connections[MAX_FD];
static int members[MAX_FD];
static int member_count;
static char output[1 << 20];
static int output_used;
static int join_turn;

static uint32_t rotate_left(uint32_t x, int bits) { return x << bits | x >> (32 - bits); }

/* SHA-1 of fewer than 240 bytes (RFC 3174). */
static void sha1(const uint8_t *message, int size, uint8_t digest[20])
{
    uint32_t state[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    uint8_t padded[256] = {0};
    int total = ((size + 8) / 64 + 1) * 64;
    memcpy(padded, message, size);
    padded[size] = 0x80;
    for (int i = 0; i < 8; i++)
        padded[total - 1 - i] = (uint64_t)size * 8 >> (8 * i);
    for (int block = 0; block < total; block += 64) {
        uint32_t w[80];
        for (int i = 0; i < 16; i++) {
            const uint8_t *p = padded + block + 4 * i;
            w[i] = (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
        }
        for (int i = 16; i < 80; i++)
            w[i] = rotate_left(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
        uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
        for (int i = 0; i < 80; i++) {
            uint32_t f, k;
            if (i < 20)
                f = (b & c) | (~b & d), k = 0x5A827999;
            else if (i < 40)
                f = b ^ c ^ d, k = 0x6ED9EBA1;
            else if (i < 60)
                f = (b & c) | (b & d) | (c & d), k = 0x8F1BBCDC;
            else
                f = b ^ c ^ d, k = 0xCA62C1D6;
            uint32_t next = rotate_left(a, 5) + f + e + k + w[i];
            e = d, d = c, c = rotate_left(b, 30), b = a, a = next;
        }
        state[0] += a, state[1] += b, state[2] += c, state[3] += d, state[4] += e;
    }
    for (int i = 0; i < 20; i++)
        digest[i] = state[i / 4] >> (24 - 8 * (i % 4));
}

static void base64(const uint8_t *data, int size, char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (int i = 0; i < size; i += 3) {
        uint32_t v = data[i] << 16 | (i + 1 < size ? data[i + 1] << 8 : 0) | (i + 2 < size ? data[i + 2] : 0);
        *text++ = digits[v >> 18 & 63];
        *text++ = digits[v >> 12 & 63];
        *text++ = i + 1 < size ? digits[v >> 6 & 63] : '=';
        *text++ = i + 2 < size ? digits[v & 63] : '=';
    }
    *text = 0;
}

static void flush_output(void)
{
    for (int i = 0; i < member_count; i++)
        send(members[i], output, output_used, MSG_NOSIGNAL | MSG_DONTWAIT);
    output_used = 0;
}

static void broadcast(const char *payload, int size)
{
    if (output_used + 4 + size > (int)sizeof output)
        flush_output();
    char *p = output + output_used;
    *p++ = (char)0x81;
    if (size < 126) {
        *p++ = size;
    } else {
        *p++ = 126;
        *p++ = size >> 8;
        *p++ = size & 255;
    }
    memcpy(p, payload, size);
    output_used = p + size - output;
    if (!join_turn)
        flush_output();
}

static void discard(struct connection *c, int size)
{
    c->used -= size;
    memmove(c->input, c->input + size, c->used);
}

/* Answer the upgrade request once it is whole; returns whether it was. */
static int shake_hands(int fd, struct connection *c)
{
    c->input[c->used < INPUT_BYTES ? c->used : INPUT_BYTES - 1] = 0;
    char *key = strcasestr(c->input, "sec-websocket-key:"), *end = strstr(c->input, "\r\n\r\n");
    if (!key || !end)
        return 0;
    key += strlen("sec-websocket-key:");
    key += strspn(key, " ");
    char joined[128], accept_key[40], answer[256];
    uint8_t digest[20];
    snprintf(joined, sizeof joined, "%.*s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", (int)strcspn(key, "\r\n"), key);
    sha1((uint8_t *)joined, strlen(joined), digest);
    base64(digest, sizeof digest, accept_key);
    int size = snprintf(answer, sizeof answer,
                        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Accept: %s\r\n\r\n",
                        accept_key);
    send(fd, answer, size, MSG_NOSIGNAL);
    c->is_member = 1;
    members[member_count++] = fd;
    discard(c, end + 4 - c->input);
    return 1;
}

static void read_frames(struct connection *c)
{
    int done = 0;
    while (c->used - done >= 6) {
        uint8_t *frame = (uint8_t *)c->input + done;
        int size = frame[1] & 127, head = 2;
        if (size == 126) {
            size = frame[2] << 8 | frame[3];
            head = 4;
        }
        if (c->used - done < head + 4 + size)
            break;
        uint8_t *mask = frame + head, *payload = mask + 4;
        for (int i = 0; i < size; i++)
            payload[i] ^= mask[i & 3];
        if ((frame[0] & 15) == 1)
            broadcast((char *)payload, size);
        done += head + 4 + size;
    }
    if (done)
        discard(c, done);
}

static void drop(int fd)
{
    close(fd);
    free(connections[fd]);
    connections[fd] = NULL;
    for (int i = 0; i < member_count; i++)
        if (members[i] == fd) {
            members[i] = members[--member_count];
            return;
        }
}

static void accept_one(int listener, int epoll)
{
    int one = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (fd < 0)
        return;
    if (fd >= MAX_FD) {
        close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    connections[fd] = calloc(1, sizeof *connections[fd]);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static void read_one(int fd)
{
    struct connection *c = connections[fd];
    int size = recv(fd, c->input + c->used, INPUT_BYTES - c->used, 0);
    if (size <= 0) {
        if (size == 0 || errno != EAGAIN)
            drop(fd);
        return;
    }
    c->used += size;
    if (c->is_member || shake_hands(fd, c))
        read_frames(c);
}

int main(int count, char **arguments)
{
    if (count != 3)
        return fprintf(stderr, "usage: broadcast PORT send|tick\n"), 2;
    join_turn = !strcmp(arguments[2], "tick");
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);

    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(arguments[1]))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (void *)&address, sizeof address) || listen(listener, 4096))
        return perror("bind"), 1;
    int epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[MAX_EVENTS];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int ready = epoll_wait(epoll, events, MAX_EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.fd == listener)
                accept_one(listener, epoll);
            else
                read_one(events[i].data.fd);
        }
        if (output_used)
            flush_output();
    }
}
