/** The user's own account. */

import { noteOwnChange, setMe } from "./packets.js";
import { request, upload } from "./requests.js";

async function take(answer) {
  noteOwnChange(answer);
  setMe(await answer);
}

/**
 * Change the account: all of the fields, or nothing.
 * @param {{old_password?: string, new_password?: string, email?: string, phone?: string, user_name?: string,
 *   avatar_url?: string}} changes
 * @throws {import("./requests.js").ApiError}
 */
export async function changeProfile(changes) {
  await take(request("PATCH", "/user", changes));
}

/**
 * Take a picture as the avatar.
 * @param {Blob} picture PNG, JPEG, GIF or WebP of at most 256 KiB
 * @throws {import("./requests.js").ApiError}
 */
export async function uploadAvatar(picture) {
  await take(upload("/user/avatar", picture, "avatar"));
}
