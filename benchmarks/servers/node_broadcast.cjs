// A broadcast with Node and the package ws, as its documentation writes one: node node_broadcast.cjs PORT
"use strict";

const { WebSocket, WebSocketServer } = require("ws");

const server = new WebSocketServer({
    host: "127.0.0.1",
    port: Number(process.argv[2]),
    backlog: 4096,
    perMessageDeflate: false,
});

server.on("connection", (socket) => {
    socket.on("error", () => socket.terminate());
    socket.on("message", (data) => {
        for (const member of server.clients) {
            if (member.readyState === WebSocket.OPEN) {
                member.send(data, { binary: false });
            }
        }
    });
});
